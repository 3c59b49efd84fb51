"""Whatever a file of weights holds: they are read, or one line names the file and the key."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save, save_file
from torch import Tensor, nn

from paenet import backbones
from paenet.backbones import Small, WeightsError

State = dict[str, Tensor]


def network() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))


def trained() -> State:
    """What some training made of `network()`: no value is an initial one."""
    return {
        key: torch.randn(tensor.shape) if tensor.is_floating_point() else torch.tensor(7)
        for key, tensor in network().state_dict().items()
    }


def test_weights_saved_and_loaded_are_the_same(tmp_path: Path) -> None:
    state = trained()
    save_file(state, tmp_path / "w.safetensors", {"source": "a lab", "terms": "MIT"})
    other = network()
    info = backbones.load_weights(tmp_path / "w.safetensors", other)
    assert all(torch.equal(other.state_dict()[key], state[key]) for key in state)
    assert (info.name, info.source, info.terms) == ("w.safetensors", "a lab", "MIT")
    assert info.url is None
    assert len(info.sha256) == 64


def test_a_file_that_says_nothing_of_itself_is_not_given_terms(tmp_path: Path) -> None:
    save_file(trained(), tmp_path / "w.safetensors")
    _, info = backbones.read_weights(str(tmp_path / "w.safetensors"))
    assert info.terms == "not stated in the file"


def test_what_a_file_says_of_itself_stays_on_one_line(tmp_path: Path) -> None:
    save_file(trained(), tmp_path / "w.safetensors", {"source": "lab\n\x1b[31m" + "x" * 999})
    _, info = backbones.read_weights(tmp_path / "w.safetensors")
    assert info.source.isprintable()
    assert len(info.source) == 300


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_weights_stored_in_another_precision_become_float32(
    dtype: torch.dtype, tmp_path: Path
) -> None:
    stored = {"0.weight": torch.randn(2, 3).to(dtype)}
    save_file(stored, tmp_path / "w.safetensors")
    state, _ = backbones.read_weights(tmp_path / "w.safetensors")
    assert state["0.weight"].dtype == torch.float32
    assert torch.equal(state["0.weight"], stored["0.weight"].float())


def test_facenet_pytorchs_classifier_is_left_out(tmp_path: Path) -> None:
    state = trained() | {"logits.weight": torch.randn(5, 2), "logits.bias": torch.randn(5)}
    torch.save(state, tmp_path / "w.pt")
    other = network()
    backbones.load_weights(tmp_path / "w.pt", other)
    assert all(torch.equal(other.state_dict()[key], state[key]) for key in other.state_dict())


def test_state_dicts_of_old_versions_of_torch_are_read(tmp_path: Path) -> None:
    state = trained()
    torch.save(state, tmp_path / "w.pth", _use_new_zipfile_serialization=False)
    found, _ = backbones.read_weights(tmp_path / "w.pth")
    assert all(torch.equal(found[key], state[key]) for key in state)


def test_weights_without_counters_of_batches_fit(tmp_path: Path) -> None:
    state = {key: t for key, t in trained().items() if not key.endswith("num_batches_tracked")}
    save_file(state, tmp_path / "w.safetensors")
    backbones.load_weights(tmp_path / "w.safetensors", network())


def test_weights_are_held_against_a_network_without_values(tmp_path: Path) -> None:
    save_file(Small(0.1).state_dict(), tmp_path / "w.safetensors")
    state, info = backbones.read_weights(tmp_path / "w.safetensors")
    with torch.device("meta"):
        backbones.check_fits(state, Small(0.1), info)
        with pytest.raises(WeightsError, match=r"'stem\.0\.weight' has shape"):
            backbones.check_fits(state, Small(0.3), info)


def without(state: State, key: str) -> State:
    return {name: tensor for name, tensor in state.items() if name != key}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: without(s, "0.weight"), "'0.weight' is missing; give weights that were trained"),
        (lambda s: {"encoder.weight": s["0.weight"]}, r"'0.weight' is missing \(and 5 more\)"),
        (lambda s: s | {"0.wieght": torch.ones(2, 3)}, "'0.wieght' has no place .*mean '0.weight'"),
        (lambda s: s | {"0.weight": torch.ones(3, 2)}, r"'0.weight' has shape \[3, 2\] .*\[2, 3\]"),
        (lambda s: s | {"1.running_var": torch.tensor([1, float("nan")])}, "'1.running_var' .*NaN"),
        (lambda s: s | {"0.bias": torch.tensor([1, float("inf")])}, "'0.bias' holds NaN or inf"),
        (lambda s: s | {"0.bias": torch.ones(2, dtype=torch.int32)}, "'0.bias' is torch.int32"),
        (lambda s: {}, "holds no tensors"),
    ],
    ids="missing, others, unknown, shape, nan, infinite, integers, empty".split(", "),
)
@pytest.mark.parametrize("ending", ["safetensors", "pt"])
def test_weights_that_do_not_fit_are_refused_by_file_and_key_and_change_nothing(
    change: Callable[[State], State], message: str, ending: str, tmp_path: Path
) -> None:
    file = tmp_path / f"w.{ending}"
    (save_file if ending == "safetensors" else torch.save)(change(trained()), file)
    other = network()
    before = {key: tensor.clone() for key, tensor in other.state_dict().items()}
    with pytest.raises(WeightsError, match=message) as caught:
        backbones.load_weights(file, other)
    assert str(caught.value).startswith(f"{file}: ")
    assert "\n" not in str(caught.value)
    assert all(torch.equal(before[key], other.state_dict()[key]) for key in before)


class Command:
    """A pickle that runs code where it is read without care."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.trace,)


def test_a_pickle_with_code_is_refused_and_never_run(tmp_path: Path) -> None:
    file, trace = tmp_path / "w.pt", tmp_path / "was_here"
    torch.save({"0.weight": Command(trace)}, file)
    with pytest.raises(WeightsError, match=r"w\.pt: not a complete state dict of tensors"):
        backbones.read_weights(file)
    file.write_bytes(pickle.dumps(Command(trace)))
    with pytest.raises(WeightsError, match=r"w\.pt: not a complete state dict of tensors"):
        backbones.read_weights(file)
    assert not trace.exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1, 2], "holds a list; give a state dict"),
        ({"state_dict": {"0.weight": torch.ones(2)}}, "'state_dict' holds a dict"),
        ({3: torch.ones(2)}, "3 holds a Tensor"),
        ({"0.weight": torch.ones(1).expand(10**12)}, "'0.weight' is a view of repeated values"),
        ({"0.weight": torch.ones(2).to_sparse()}, "'0.weight' is not a dense tensor"),
        ({"0.weight": torch.ones(2, device="meta")}, "'0.weight' is not a dense tensor"),
        ({"0.weight": torch.ones(2, dtype=torch.complex64)}, "'0.weight' is torch.complex64"),
    ],
    ids="list, nested, number, endless, sparse, meta, complex".split(", "),
)
def test_a_saved_object_that_is_no_state_dict_of_weights_is_refused(
    content: object, message: str, tmp_path: Path
) -> None:
    torch.save(content, tmp_path / "w.pt")
    with pytest.raises(WeightsError, match=message):
        backbones.read_weights(tmp_path / "w.pt")


@pytest.mark.parametrize("content", [b"", b"\x00", b"PK\x03\x04", b"{}", b"not weights\n" * 9])
@pytest.mark.parametrize("ending", ["safetensors", "pt", "bin"])
def test_a_file_of_something_else_is_refused_by_name(
    content: bytes, ending: str, tmp_path: Path
) -> None:
    file = tmp_path / f"w.{ending}"
    file.write_bytes(content)
    with pytest.raises(WeightsError) as caught:
        backbones.read_weights(file)
    assert str(caught.value).startswith(f"{file}: not a complete ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("ending", ["safetensors", "pt"])
def test_a_truncated_file_is_refused_wherever_it_ends(ending: str, tmp_path: Path) -> None:
    file = tmp_path / f"w.{ending}"
    (save_file if ending == "safetensors" else torch.save)(trained(), file)
    whole = file.read_bytes()
    for length in range(0, len(whole), max(1, len(whole) // 40)):
        file.write_bytes(whole[:length])
        with pytest.raises(WeightsError, match=r"w\.[a-z]+: not a complete"):
            backbones.read_weights(file)


@given(place=st.integers(0, 2**20), value=st.integers(1, 255))
def test_a_flipped_byte_ends_in_an_error_of_ours_or_in_finite_weights(
    place: int, value: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    content = bytearray(save({"0.weight": torch.ones(2, 3), "0.bias": torch.zeros(2)}))
    content[place % len(content)] ^= value
    file = tmp_path_factory.mktemp("flipped") / "w.safetensors"
    file.write_bytes(content)
    try:
        state, _ = backbones.read_weights(file)
    except WeightsError as error:
        outcome = str(error)
    else:
        assert all(tensor.isfinite().all() for tensor in state.values())
        outcome = f"{file}: read"
    assert outcome.startswith(f"{file}: ")
    assert "\n" not in outcome


def test_a_missing_file_is_named_and_a_near_name_is_offered(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"vggface: there is no .*mean 'facenet-vggface2'"):
        backbones.read_weights("facenet-vggface")
    with pytest.raises(WeightsError, match="not a file"):
        backbones.read_weights(tmp_path)
