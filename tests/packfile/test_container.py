"""A `.pae` is a safetensors file of which every bit counts."""

import hashlib
import json
import struct
from pathlib import Path

import pytest
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open

from paenet.packfile import PackFileError, container, describe, read
from tests.packfile.files import saved, tiny

GOLDEN_DOCUMENT = {"backbone": {"name": "ü"}, "tasks": []}
GOLDEN_TENSORS = {"theta.": torch.tensor([[1.0, -2.0]]), "owner.": torch.tensor([[1, 2]]).byte()}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return saved(tiny(), tmp_path)


def file_with(document: object, header: dict[str, object] | None = None) -> bytes:
    """A safetensors file without tensors that holds a document."""
    text = document if isinstance(document, str) else json.dumps(document)
    head = json.dumps({"__metadata__": {"paenet": text}, **(header or {})}).encode()
    return struct.pack("<Q", len(head)) + head


def fault_of(data: bytes) -> str:
    with pytest.raises(PackFileError) as caught:
        container.decode(data)
    return str(caught.value)


def test_the_bytes_of_a_file_hold_still(tmp_path: Path) -> None:
    def expected(digest: str) -> bytes:
        document = (
            r"{\"format\":\"0.1\",\"sha256\":\"" + digest + r"\","
            r"\"backbone\":{\"name\":\"\\u00fc\"},\"tasks\":[]}"
        )
        header = (
            '{"__metadata__":{"paenet":"' + document + '"},'
            '"theta.":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]},'
            '"owner.":{"dtype":"U8","shape":[1,2],"data_offsets":[8,10]}}'
        )
        header += " " * (-len(header) % 8)
        values = b"\x00\x00\x80\x3f\x00\x00\x00\xc0" + b"\x01\x02"
        return struct.pack("<Q", len(header)) + header.encode() + values

    path = tmp_path / "golden.pae"
    container.save(path, GOLDEN_DOCUMENT, GOLDEN_TENSORS)
    digest = hashlib.sha256(expected("0" * 64)).hexdigest()
    assert path.read_bytes() == expected(digest)


def test_any_safetensors_tool_opens_it(path: Path) -> None:
    with safe_open(path, "pt") as file:
        assert json.loads(file.metadata()["paenet"])["format"] == "0.1"
    tensors = safetensors.torch.load_file(path)
    assert {"theta.", "owner.", "private.1.bias", "private.2.bias"} == set(tensors)


def test_every_flipped_bit_is_found(path: Path) -> None:
    data = bytearray(path.read_bytes())
    container.decode(bytes(data))
    for bit in range(8 * len(data)):
        data[bit // 8] ^= 1 << bit % 8
        with pytest.raises(PackFileError):
            container.decode(bytes(data))
        data[bit // 8] ^= 1 << bit % 8


def test_every_truncation_is_found(path: Path) -> None:
    data = path.read_bytes()
    for length in range(len(data)):
        fault_of(data[:length])
    assert "it is truncated: " in fault_of(data[:-1])
    assert "longer than written" in fault_of(data + b"\0")


def test_two_exchanged_bytes_are_found(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1], data[-3] = data[-3], data[-1]
    assert data != path.read_bytes()
    assert "SHA-256" in fault_of(bytes(data))


@given(st.binary(max_size=200))
def test_noise_is_refused(noise: bytes) -> None:
    fault_of(noise)
    fault_of(struct.pack("<Q", len(noise)) + noise)
    fault_of(struct.pack("<Q", len(noise) + 2) + b"{" + noise + b"}")


JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=9,
)


@given(JSON)
@settings(max_examples=50)
def test_any_other_json_is_refused(value: object) -> None:
    fault_of(file_with(value))
    fault_of(file_with({"format": "0.1", "sha256": value}))
    fault_of(file_with({"format": "0.1"}, {"theta.": value}))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is not a .pae file"),
        (b"\x89PNG\r\n\x1a\n" + bytes(50), "is not a .pae file"),
        (b"PK\x03\x04" + bytes(50), "is not a .pae file"),
        (safetensors.torch.save({"a": torch.ones(1)}), "so not a .pae"),
        (safetensors.torch.save({"a": torch.ones(1)}, {"paenet": "no"}), "is not JSON"),
        (file_with({"format": "1.0"}), "has format 1.0, and this paenet reads up to 0.x; update"),
        (file_with({"format": "12.3"}), "update paenet"),
        (file_with({"format": 0.1}), "format version is 0.1"),
        (file_with({"format": "0.1"}), "no SHA-256"),
        (file_with('{"format":"0.1","format":"0.2"}'), "key 'format' occurs twice"),
        (file_with('{"format":NaN}'), "NaN is no JSON number"),
        (file_with('{"a":' + "[" * 100_000), "nested too deeply"),
        (file_with('{"a":' + "[" * 70 + "]" * 70 + "}"), "nested too deeply"),
        (file_with('{"a":' + "9" * 10_000 + "}"), "is not JSON"),
        (file_with({"format": "0.1"}, {"theta.": {"data_offsets": [0]}}), "where the tensors are"),
        (file_with({"format": "0.1"}, {"theta.": {"data_offsets": [0, 2**70]}}), "truncated"),
        (struct.pack("<Q", 2**63) + b"{}", "is not a .pae file"),
        (struct.pack("<Q", 99_999_999) + b"{}", "truncated within its header"),
    ],
)
def test_what_is_wrong_is_said(data: bytes, reason: str, tmp_path: Path) -> None:
    assert reason in fault_of(data)
    path = tmp_path / "strange.pae"
    path.write_bytes(data)
    for function in (read, describe):
        with pytest.raises(PackFileError) as caught:
            function(path)
        assert str(caught.value).startswith(f"{path}: ")
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("entry", "size"),
    [
        ({"dtype": "F32", "shape": [2**40, 2**40], "data_offsets": [0, 8]}, 8),
        ({"dtype": "F32", "shape": [2**64], "data_offsets": [0, 8]}, 8),
        ({"dtype": "F32", "shape": [-2], "data_offsets": [0, 8]}, 8),
        ({"dtype": "F32", "shape": [3], "data_offsets": [0, 8]}, 8),
        ({"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}, 8),
        ({"dtype": "Z9", "shape": [2], "data_offsets": [0, 8]}, 8),
        ({"dtype": "F32", "shape": "two", "data_offsets": [0, 8]}, 8),
    ],
    ids=["absurd", "overflow", "negative", "too-large", "hole", "dtype", "text"],
)
def test_tensors_that_cannot_be_are_refused(entry: dict[str, object], size: int) -> None:
    def data(digest: str) -> bytes:
        return file_with({"format": "0.1", "sha256": digest}, {"theta.": entry}) + bytes(size)

    digest = hashlib.sha256(data("0" * 64)).hexdigest()
    assert "is no valid safetensors file" in fault_of(data(digest))


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    for function in (read, describe):
        with pytest.raises(PackFileError, match=r"no\.pae: does not exist; check the path"):
            function(tmp_path / "no.pae")
        with pytest.raises(PackFileError, match="is not a file"):
            function(tmp_path)


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="needs a device that never ends")
def test_a_device_is_not_read() -> None:
    with pytest.raises(PackFileError, match="is not a file"):
        read("/dev/zero")


def test_metadata_is_read_without_the_tensors(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    assert [task["name"] for task in describe(path)["tasks"]] == ["a", "b"]
    with pytest.raises(PackFileError, match="SHA-256"):
        read(path)
