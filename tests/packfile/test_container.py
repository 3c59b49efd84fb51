"""A `.pae` is a safetensors file of which every bit counts."""

import errno
import hashlib
import json
import os
import struct
from pathlib import Path

import pytest
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from torch import nn

from paenet.packfile import PackFileError, check, container, describe, load, read
from tests.packfile.files import saved, tiny

GOLDEN_DOCUMENT = {"backbone": {"name": "ü"}, "tasks": []}
GOLDEN_STREAMS = {"shapes": b"\x01\x02\x03", "maps": b"\xff"}
UNSIGNED = "0" * 64


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return saved(tiny(), tmp_path)


def file_with(
    document: object, header: dict[str, object] | None = None, data: bytes = b""
) -> bytes:
    """A safetensors file that holds a document."""
    text = document if isinstance(document, str) else json.dumps(document)
    head = json.dumps({"__metadata__": {"paenet": text}, **(header or {})}).encode()
    return struct.pack("<Q", len(head)) + head + data


def signed(header: dict[str, object], data: bytes) -> bytes:
    """A file with these entries for its streams, and right digests."""
    document = {"format": "1.0", "sha256": UNSIGNED, "digests": dict.fromkeys(header, "")}
    whole = file_with(document, header, data)
    digest = hashlib.sha256(whole[: len(whole) - len(data)]).hexdigest()
    return whole.replace(UNSIGNED.encode(), digest.encode())


def read_whole(path: Path) -> None:
    """Reads every bit, whatever the document says."""
    with container.opened(path) as archive:
        archive.check()


def fault_of(data: bytes, path: Path) -> str:
    path.write_bytes(data)
    with pytest.raises(PackFileError) as caught:
        read_whole(path)
    return str(caught.value)


def test_the_bytes_of_a_file_hold_still(tmp_path: Path) -> None:
    def expected(digest: str) -> bytes:
        maps = hashlib.sha256(b"\xff").hexdigest()
        shapes = hashlib.sha256(b"\x01\x02\x03").hexdigest()
        document = (
            r"{\"format\":\"1.1\",\"sha256\":\"" + digest + r"\","
            r"\"digests\":{\"maps\":\"" + maps + r"\",\"shapes\":\"" + shapes + r"\"},"
            r"\"backbone\":{\"name\":\"\\u00fc\"},\"tasks\":[]}"
        )
        header = (
            '{"__metadata__":{"paenet":"' + document + '"},'
            '"maps":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},'
            '"shapes":{"dtype":"U8","shape":[3],"data_offsets":[1,4]}}'
        )
        header += " " * (-len(header) % 8)
        return struct.pack("<Q", len(header)) + header.encode()

    path = tmp_path / "golden.pae"
    container.save(path, GOLDEN_DOCUMENT, GOLDEN_STREAMS)
    digest = hashlib.sha256(expected(UNSIGNED)).hexdigest()
    assert path.read_bytes() == expected(digest) + b"\xff\x01\x02\x03"


def test_any_safetensors_tool_opens_it(path: Path) -> None:
    with safe_open(path, "pt") as file:
        assert json.loads(file.metadata()["paenet"])["format"] == "1.1"
    tensors = safetensors.torch.load_file(path)
    assert {"shapes", "task.1.owners", "task.2.values.0", "task.2.private"} < set(tensors)
    assert {(tensor.dtype, tensor.dim()) for tensor in tensors.values()} == {(torch.uint8, 1)}


def test_what_a_task_has_lies_side_by_side(path: Path) -> None:
    with container.opened(path) as archive:
        in_order = sorted(archive.places, key=lambda name: archive.places[name])
    owners = [name.split(".")[1] for name in in_order if name.startswith("task.")]
    assert owners == sorted(owners)


def test_every_flipped_bit_is_found(path: Path) -> None:
    data = bytearray(path.read_bytes())
    read_whole(path)
    with path.open("rb+", buffering=0) as file:
        for bit in range(8 * len(data)):
            place = bit // 8
            file.seek(place)
            file.write(bytes([data[place] ^ 1 << bit % 8]))
            with pytest.raises(PackFileError):
                read_whole(path)
            file.seek(place)
            file.write(data[place : place + 1])
    read_whole(path)


def test_every_truncation_is_found(path: Path) -> None:
    data = path.read_bytes()
    for length in reversed(range(len(data))):
        os.truncate(path, length)
        with pytest.raises(PackFileError):
            read_whole(path)
    assert "it is truncated: " in fault_of(data[:-1], path)
    assert "longer than written" in fault_of(data + b"\0", path)


def test_two_exchanged_bytes_are_found(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1], data[-4] = data[-4], data[-1]
    assert data != path.read_bytes()
    assert "stream 'task.2.values.1' is not as it was written (SHA-256)" in fault_of(data, path)


@given(noise=st.binary(max_size=200))
def test_noise_is_refused(noise: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "noise.pae"
    fault_of(noise, path)
    fault_of(struct.pack("<Q", len(noise)) + noise, path)
    fault_of(struct.pack("<Q", len(noise) + 2) + b"{" + noise + b"}", path)


JSON = st.recursive(
    st.none() | st.integers() | st.text(st.characters(codec=None), max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=9,
)


@given(value=JSON)
@settings(max_examples=50)
def test_any_other_json_is_refused(value: object, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "json.pae"
    fault_of(file_with(value), path)
    fault_of(file_with({"format": "1.0", "sha256": value}), path)
    fault_of(file_with({"format": "1.0"}, {"shapes": value}), path)
    fault_of(signed({"shapes": value}, b""), path)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is not a .pae file"),
        (b"\x89PNG\r\n\x1a\n" + bytes(50), "is not a .pae file"),
        (b"PK\x03\x04" + bytes(50), "is not a .pae file"),
        (safetensors.torch.save({"a": torch.ones(1)}), "so not a .pae"),
        (safetensors.torch.save({"a": torch.ones(1)}, {"paenet": "no"}), "is not JSON"),
        (file_with({"format": "2.0"}), "has format 2.0, and this paenet reads 1.x; update"),
        (file_with({"format": "12.3"}), "update paenet"),
        (file_with({"format": "0.1"}), "has format 0.1 of an early paenet, and this one reads 1.x"),
        (file_with({"format": 1.0}), "format version is 1.0"),
        (file_with({"format": "1.0"}), "no SHA-256"),
        (file_with({"format": "1.0", "sha256": "\ud800" * 64}), "SHA-256"),
        (file_with('{"format":"1.0","format":"1.1"}'), "key 'format' occurs twice"),
        (file_with('{"format":NaN}'), "NaN is no JSON number"),
        (file_with('{"a":' + "[" * 100_000), "nested too deeply"),
        (file_with('{"a":' + "[" * 70 + "]" * 70 + "}"), "nested too deeply"),
        (file_with('{"a":' + "9" * 10_000 + "}"), "is not JSON"),
        (struct.pack("<Q", 48) + '{"a": "not UTF-8"}      '.encode("utf-16-le"), "is not JSON"),
        (struct.pack("<Q", 2**63) + b"{}", "is not a .pae file"),
        (struct.pack("<Q", 2**24 + 1) + b"{}", "is not a .pae file"),
        (struct.pack("<Q", 2**24) + b"{}", "truncated within its header"),
    ],
)
def test_what_is_wrong_is_said(data: bytes, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "strange.pae"
    assert reason in fault_of(data, path)
    for function in (read, describe):
        with pytest.raises(PackFileError) as caught:
            function(path)
        assert str(caught.value).startswith(f"{path}: ")
        assert "\n" not in str(caught.value)
    assert reason in check(path).findings[0].message


def entry(start: object, end: object, **other: object) -> dict[str, object]:
    """A stream's, as it should be but for what is given."""
    size = end - start if isinstance(start, int) and isinstance(end, int) else 0
    return {"dtype": "U8", "shape": [size], "data_offsets": [start, end], **other}


BROKEN: dict[str, dict[str, object]] = {
    "dtype": {"a": entry(0, 8, dtype="F32", shape=[2])},
    "unknown-dtype": {"a": entry(0, 8, dtype="Z9")},
    "two-axes": {"a": entry(0, 8, shape=[2, 4])},
    "no-axis": {"a": entry(0, 8, shape=[])},
    "other-size": {"a": entry(0, 8, shape=[9])},
    "absurd": {"a": entry(0, 8, shape=[2**40, 2**40])},
    "text": {"a": entry(0, 8, shape="eight")},
    "fraction": {"a": entry(0, 8.0)},
    "texts": {"a": entry("0", "8")},
    "one-offset": {"a": entry(0, 8, data_offsets=[0])},
    "three-offsets": {"a": entry(0, 8, data_offsets=[0, 4, 8])},
    "negative": {"a": entry(-8, 0)},
    "backwards": {"a": entry(0, 8), "b": entry(8, 4)},
    "hole-before": {"a": entry(4, 8)},
    "hole-between": {"a": entry(0, 3), "b": entry(4, 8)},
    "overlap": {"a": entry(0, 5), "b": entry(4, 8)},
    "twice": {"a": entry(0, 8), "b": entry(0, 8)},
    "another-key": {"a": entry(0, 8, more=1)},
    "no-offsets": {"a": {"dtype": "U8", "shape": [8]}},
    "no-entry": {"a": None},
}


@pytest.mark.parametrize("header", BROKEN.values(), ids=BROKEN)
def test_streams_that_cannot_be_are_refused(header: dict[str, object], tmp_path: Path) -> None:
    fault = fault_of(signed(header, bytes(8)), tmp_path / "strange.pae")
    assert "its header does not say where the streams are" in fault


@pytest.mark.parametrize("end", [9, 2**40, 2**70])
def test_a_stream_that_leaves_the_file_is_refused(end: int, tmp_path: Path) -> None:
    assert "truncated" in fault_of(signed({"a": entry(0, end)}, bytes(8)), tmp_path / "strange.pae")


def test_a_stream_without_a_digest_is_refused(path: Path) -> None:
    with container.opened(path) as archive:
        document = {**archive.document, "digests": {"shapes": "0" * 64}, "sha256": UNSIGNED}
    container.save(path, document, GOLDEN_STREAMS)
    assert "the digest of every stream" in fault_of(path.read_bytes(), path)


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


@pytest.mark.parametrize("good", [0, 1, 2, 6], ids=["start", "header", "digest", "stream"])
def test_a_disk_that_fails_is_one_line_with_the_reason(
    good: int, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pread = os.pread

    def fail(*arguments: int) -> bytes:
        done.append(arguments)
        if len(done) > good:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return pread(*arguments)

    monkeypatch.setattr(os, "pread", fail)
    for function in (read, load):
        done: list[tuple[int, ...]] = []
        with pytest.raises(
            PackFileError, match=r"pack\.pae: cannot be read \(Input/output error\)"
        ):
            function(path, backbone=nn.Linear(2, 2))
    done = []
    (finding,) = check(path, backbone=nn.Linear(2, 2)).findings
    assert "cannot be read (Input/output error)" in finding.message


def test_metadata_is_read_without_the_streams(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    assert [task["name"] for task in describe(path)["tasks"]] == ["a", "b"]
    with pytest.raises(PackFileError, match="SHA-256"):
        read(path)
