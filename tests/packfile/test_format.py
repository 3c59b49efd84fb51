"""docs/format.md is enough: a reader that knows nothing else finds every task's fingerprint."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from paenet.packfile import describe
from paenet.packing import Pack
from tests.packfile import grids
from tests.packfile.files import grown, on_grid, saved
from tests.packfile.stranger import Stranger
from tests.packing.networks import NETWORKS, Builder, packed, teach

DTYPES = [torch.float32, torch.float16, torch.bfloat16, torch.float64]


def found_by_a_stranger(path: Path) -> dict[str, str]:
    stranger = Stranger(path.read_bytes())
    return {task["name"]: stranger.fingerprint(task) for task in stranger.document["tasks"]}


@pytest.mark.parametrize("builder", NETWORKS.values(), ids=NETWORKS)
def test_a_stranger_finds_every_fingerprint(builder: Builder, tmp_path: Path) -> None:
    pack, promise = grown(builder)
    expected = {name: fingerprint for name, (fingerprint, _) in promise.made.items()}
    assert found_by_a_stranger(saved(pack, tmp_path)) == expected


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(("coding", "grid"), grids.GRIDS.items(), ids=grids.GRIDS)
def test_a_stranger_finds_them_in_every_coding_of_every_type(
    coding: str, grid: Callable[[Tensor], Tensor], dtype: torch.dtype, tmp_path: Path
) -> None:
    pack = Pack(nn.Sequential(nn.Linear(24, 24), nn.ReLU(), nn.Linear(24, 6)).to(dtype))
    for name in ("first", "second"):
        learner = pack.learn(name, head=nn.Linear(6, 2).to(dtype), sees="none")
        learner.prune(to=0.5)
        learner.freeze()
    on_grid(pack, "second", grid)
    path = saved(pack, tmp_path)
    if dtype == torch.float32:
        assert describe(path)["tasks"][1]["codings"]["values"] == coding
    assert found_by_a_stranger(path) == {name: pack.fingerprint(name) for name in pack.tasks}


def test_a_stranger_finds_the_norms_of_a_task_that_uses_the_bases(tmp_path: Path) -> None:
    pack = packed(NETWORKS["batch-norm"])
    teach(pack, "base")
    teach(pack, "borrower", norms="base")
    found = found_by_a_stranger(saved(pack, tmp_path))
    assert found["borrower"] == pack.fingerprint("borrower")


def test_a_stranger_finds_halved_norms_and_heads(tmp_path: Path) -> None:
    pack = packed(NETWORKS["batch-norm"])
    teach(pack, "base")
    task = pack.tasks["base"]
    for tensor in (*task.private.values(), *task.head.state_dict().values()):
        if tensor.is_floating_point():
            tensor.copy_(tensor.bfloat16())
    task.fingerprint = None
    path = saved(pack, tmp_path)
    codings = describe(path)["tasks"][0]["codings"]
    assert (codings["private"], codings["head"]) == ("bfloat16", "bfloat16")
    assert found_by_a_stranger(path) == {"base": pack.fingerprint("base")}


def test_the_document_has_the_keys_that_are_specified(tmp_path: Path) -> None:
    document = describe(saved(grown()[0], tmp_path))
    page = (Path(__file__).parents[2] / "docs" / "format.md").read_text(encoding="utf-8")
    task = document["tasks"][0]
    for key in (*document, *document["backbone"], *task, *task["codings"]):
        assert f"`{key}`" in page
    assert f"format {document['format']}" in page
