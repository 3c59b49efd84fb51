"""A stream gives what was put in, in no more memory than is asked for, and ends where it must."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from paenet.packfile.errors import PackFileError
from paenet.packfile.streams import LEVELS, WINDOW, Stream, compress
from tests.packfile.files import frame, stream_of

NOISE = np.random.default_rng(0).bytes(300)
CONTENT = bytes(range(256)) * 8 + NOISE
FRAME = frame(CONTENT)


def taken(data: bytes, count: int = len(CONTENT)) -> bytes:
    with stream_of(data) as stream:
        found = stream.take(count).tobytes()
        stream.end()
    return found


@given(st.lists(st.binary(max_size=99)), st.lists(st.integers(0, 99)), st.sampled_from(LEVELS))
def test_what_was_put_in_comes_out_in_pieces_of_any_size(
    parts: list[bytes], counts: list[int], level: int
) -> None:
    data = compress([np.frombuffer(part, np.uint8) for part in parts], level)
    left = b"".join(parts)
    with stream_of(data) as stream:
        for count in (*counts, len(left)):
            expected, left = left[:count], left[count:]
            assert stream.take(len(expected)).tobytes() == expected
        stream.end()


def test_streams_of_one_file_are_read_beside_each_other(tmp_path: Path) -> None:
    one, other = frame(b"one" * 999), frame(b"other" * 999)
    path = tmp_path / "both"
    path.write_bytes(one + other)
    with path.open("rb") as file:
        first = Stream("first", file.fileno(), 0, len(one))
        second = Stream("second", file.fileno(), len(one), len(other))
        for _ in range(999):
            assert first.take(3).tobytes() == b"one"
            assert second.take(5).tobytes() == b"other"
        first.end()
        second.end()


@pytest.mark.parametrize("level", [1, 3, 9, 19])
def test_every_level_keeps_to_the_window(level: int) -> None:
    data = compress([np.zeros(WINDOW + 1, np.uint8)], level)
    assert zstandard.get_frame_parameters(data).window_size <= WINDOW
    assert taken(data, WINDOW + 1) == bytes(WINDOW + 1)


def with_window(size: int) -> bytes:
    log = size.bit_length() - 1
    settings = zstandard.ZstdCompressionParameters.from_level(3, window_log=log)
    compressor = zstandard.ZstdCompressor(compression_params=settings).compressobj()
    return compressor.compress(CONTENT) + compressor.flush()


def with_dictionary() -> bytes:
    dictionary = zstandard.train_dictionary(
        4096, [NOISE[i : i + 64] + CONTENT[:64] for i in range(99)]
    )
    return zstandard.ZstdCompressor(dict_data=dictionary).compress(CONTENT)


BROKEN: dict[str, Callable[[], bytes]] = {
    "nothing": lambda: b"",
    "noise": lambda: NOISE[:99],
    "another-format": lambda: b"\x1f\x8b" + bytes(99),
    "too-short": lambda: frame(CONTENT[:-1]),
    "too-long": lambda: frame(CONTENT + b"x"),
    "two-frames": lambda: FRAME + frame(b"x"),
    "noise-behind": lambda: FRAME + b"noise",
    "far-too-long": lambda: frame(bytes(2**28)),
    "window": lambda: with_window(2 * WINDOW),
    "huge-window": lambda: with_window(2**31),
    "huge-content": lambda: b"\x28\xb5\x2f\xfd\xe0" + b"\xff" * 8 + FRAME[6:],
    "dictionary": with_dictionary,
}


@pytest.mark.parametrize("make", BROKEN.values(), ids=BROKEN)
def test_a_stream_that_is_something_else_is_refused(make: Callable[[], bytes]) -> None:
    with pytest.raises(PackFileError, match="stream 'it'"):
        taken(make())


def test_the_largest_window_that_is_promised_is_taken() -> None:
    assert taken(with_window(WINDOW)) == CONTENT


def test_every_truncation_is_refused() -> None:
    for length in range(len(FRAME)):
        with pytest.raises(PackFileError, match="stream 'it'"):
            taken(FRAME[:length])


@given(st.integers(0, 8 * len(FRAME) - 1))
def test_a_flipped_bit_is_refused_or_gives_as_much(bit: int) -> None:
    data = bytearray(FRAME)
    data[bit // 8] ^= 1 << bit % 8
    try:
        found = taken(bytes(data))
    except PackFileError as error:
        assert "stream 'it'" in str(error)
    else:
        assert len(found) == len(CONTENT)


def test_the_rest_is_taken_up_to_a_limit() -> None:
    with stream_of(FRAME) as stream:
        assert stream.rest(len(CONTENT)).tobytes() == CONTENT
    with stream_of(FRAME) as stream, pytest.raises(PackFileError, match="too long"):
        stream.rest(len(CONTENT) - 1)
