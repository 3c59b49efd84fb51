"""Networks come straight from a file as from a pack, and only what they need is read."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from paenet.packfile import CodeNeededError, PackFileError, container, load
from paenet.packfile.streams import Stream
from paenet.packing import Pack
from tests.packfile.files import Scaled, grown, on_grid, saved, tiny
from tests.packfile.grids import GRIDS
from tests.packing.networks import NETWORKS, Builder, batch_norm, outputs, packed, teach


@contextmanager
def streams_opened() -> Iterator[set[str]]:
    """The names of the streams that are read meanwhile."""
    found: set[str] = set()
    stream = container.Archive.stream

    def noting(archive: container.Archive, name: str) -> Stream:
        found.add(name)
        return stream(archive, name)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(container.Archive, "stream", noting)
        yield found


def same_network(one: nn.Module, other: nn.Module) -> bool:
    """Whether two networks hold the same tensors, bit for bit."""
    a, b = one.state_dict(), other.state_dict()
    return list(a) == list(b) and all(
        a[key].dtype == b[key].dtype and torch.equal(a[key], b[key]) for key in a
    )


@pytest.mark.parametrize("builder", NETWORKS.values(), ids=NETWORKS)
def test_networks_are_those_of_the_pack(builder: Builder, tmp_path: Path) -> None:
    pack, promise = grown(builder)
    found = load(saved(pack, tmp_path), backbone=builder)
    assert list(found) == list(pack.tasks)
    for name, network in found.items():
        assert same_network(network, pack.materialize(name))
        assert torch.equal(outputs(network), promise.made[name][1])
        assert not network.training
        assert all(p.requires_grad for p in network.parameters())


@pytest.mark.parametrize("names", [["age"], ["mood"], ["base", "mood"], ["mood", "age"], []])
def test_any_tasks_are_given_in_the_order_asked_for(names: list[str], tmp_path: Path) -> None:
    pack = grown()[0]
    found = load(saved(pack, tmp_path), names, backbone=batch_norm)
    assert list(found) == names
    assert all(same_network(network, pack.materialize(name)) for name, network in found.items())


def test_networks_share_nothing(tmp_path: Path) -> None:
    pack = packed(batch_norm)
    teach(pack, "base")
    teach(pack, "borrower", norms="base")
    path = saved(pack, tmp_path)
    found = load(path, backbone=batch_norm)
    for tensor in found["base"].state_dict().values():
        tensor.fill_(7)
    assert same_network(found["borrower"], pack.materialize("borrower"))


@pytest.mark.parametrize(("name", "grid"), GRIDS.items(), ids=GRIDS)
def test_every_coding_is_read(name: str, grid: Callable[[Tensor], Tensor], tmp_path: Path) -> None:
    pack = packed(batch_norm)
    teach(pack, "base")
    teach(pack, "next", sees="none")
    on_grid(pack, "next", grid)
    found = load(saved(pack, tmp_path), backbone=batch_norm)
    assert all(same_network(found[name], pack.materialize(name)) for name in pack.tasks)


def slots_of(pack: Pack) -> dict[str, int]:
    return {name: task.slot for name, task in pack.tasks.items()}


@pytest.mark.parametrize(
    ("name", "owners", "values"),
    [
        ("base", ["base"], ["base"]),
        ("age", ["base", "age"], ["base", "age"]),
        ("mood", ["base", "age", "mood"], ["age", "mood"]),
    ],
)
def test_only_what_a_task_needs_is_read(
    name: str, owners: list[str], values: list[str], tmp_path: Path
) -> None:
    pack = grown()[0]
    slots = slots_of(pack)
    path = saved(pack, tmp_path)
    with streams_opened() as opened:
        load(path, [name], backbone=batch_norm)
    parts = {(int(s.split(".")[1]), s.split(".")[2]) for s in opened if s.startswith("task.")}
    assert {slot for slot, part in parts if part == "owners"} == {slots[n] for n in owners}
    assert {slot for slot, part in parts if part == "values"} == {slots[n] for n in values}
    lenders = {slots["base"], slots[name]}
    for kind in ("private", "head"):
        assert slots[name] in {slot for slot, part in parts if part == kind} <= lenders
    assert opened - {s for s in opened if s.startswith("task.")} == {"shapes", "maps"}


def damaged(path: Path, stream: str) -> None:
    with container.opened(path) as archive:
        start = archive.places[stream][0]
    with path.open("rb+") as file:
        file.seek(start)
        file.write(b"?")


def test_damage_elsewhere_does_not_matter(tmp_path: Path) -> None:
    pack = grown()[0]
    path = saved(pack, tmp_path)
    for part in ("owners", "values.0", "private", "head"):
        damaged(path, f"task.{pack.tasks['mood'].slot}.{part}")
    found = load(path, ["base", "age"], backbone=batch_norm)
    assert all(same_network(network, pack.materialize(name)) for name, network in found.items())


@pytest.mark.parametrize(
    "stream",
    ["shapes", "maps", "task.1.owners", "task.1.private", "task.3.values.0", "task.3.head"],
)
def test_damage_in_what_is_needed_is_found(stream: str, tmp_path: Path) -> None:
    path = saved(grown()[0], tmp_path)
    damaged(path, stream)
    with pytest.raises(PackFileError, match=rf"stream '{stream}' is not as it was written"):
        load(path, ["age"], backbone=batch_norm)


def test_an_unknown_task_is_named_with_the_nearest(tmp_path: Path) -> None:
    path = saved(grown()[0], tmp_path)
    with pytest.raises(PackFileError, match=r"pack\.pae: has no task 'aeg'; did you mean 'age'"):
        load(path, ["aeg"], backbone=batch_norm)


def test_another_backbone_is_refused(tmp_path: Path) -> None:
    path = saved(tiny(), tmp_path)
    with pytest.raises(CodeNeededError, match=r"backbone=\.\.\."):
        load(path)
    with pytest.raises(PackFileError, match=r"tensor 'theta\.' is float32 \[2, 2\]"):
        load(path, backbone=nn.Linear(2, 3))


def test_a_head_of_its_own_is_handed_over(tmp_path: Path) -> None:
    pack = Pack(nn.Linear(2, 2))
    pack.learn("a", head=Scaled(3.0)).freeze()
    path = saved(pack, tmp_path)
    with pytest.raises(CodeNeededError, match=r"task 'a': its head .*heads={'a'"):
        load(path, backbone=nn.Linear(2, 2))
    found = load(path, backbone=nn.Linear(2, 2), heads={"a": Scaled(0.0)})
    assert same_network(found["a"], pack.materialize("a"))
