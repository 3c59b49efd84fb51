"""Named weights come into the cache once and whole, or one line says what to put where."""

import dataclasses
import hashlib
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from safetensors.torch import save

from paenet import backbones
from paenet.backbones import PRETRAINED, Pretrained, WeightsError, fetch

CONTENT = save({"weight": torch.ones(2, 3), "bias": torch.zeros(2)})


class Server(ThreadingHTTPServer):
    """Answers every request with `content`, of which it announces `length` bytes."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content, self.length, self.status = CONTENT, len(CONTENT), 200
        self.requests: list[str] = []


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.requests.append(self.path)
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(self.server.length))
        self.end_headers()
        self.wfile.write(self.server.content)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def toy(server: Server, monkeypatch: pytest.MonkeyPatch) -> Pretrained:
    """Weights by the name of 'toy', published by `server`."""
    entry = Pretrained(
        name="toy",
        backbone="small",
        url=f"http://127.0.0.1:{server.server_port}/v1/toy.safetensors",
        sha256=hashlib.sha256(CONTENT).hexdigest(),
        bytes=len(CONTENT),
        source="a test",
        terms="MIT",
    )
    monkeypatch.setitem(PRETRAINED, "toy", entry)
    return entry


@pytest.mark.parametrize("name", PRETRAINED)
def test_an_entry_is_pinned_and_names_a_backbone(name: str) -> None:
    entry = PRETRAINED[name]
    assert entry.name == name
    assert re.fullmatch("[0-9a-f]{64}", entry.sha256)
    assert entry.url.startswith("https://")
    assert entry.backbone in backbones.names()
    assert entry.source
    assert entry.terms


def test_weights_are_downloaded_once(toy: Pretrained, server: Server, cache: Path) -> None:
    network = torch.nn.Linear(3, 2)
    info = backbones.load_weights("toy", network)
    assert torch.equal(network.weight, torch.ones(2, 3))
    assert info.file == cache / "weights" / "toy.safetensors"
    assert (info.name, info.source, info.terms, info.url) == ("toy", "a test", "MIT", toy.url)
    backbones.load_weights("toy", network)
    assert server.requests == ["/v1/toy.safetensors"]
    assert [file.name for file in info.file.parent.iterdir()] == ["toy.safetensors"]


def test_a_file_put_into_the_cache_by_hand_needs_no_network(
    toy: Pretrained, server: Server
) -> None:
    toy.path.parent.mkdir()
    toy.path.write_bytes(CONTENT)
    assert fetch(toy).read_bytes() == CONTENT
    assert not server.requests


def test_a_given_file_that_is_the_published_one_is_recognised(
    toy: Pretrained, tmp_path: Path
) -> None:
    (tmp_path / "mine.safetensors").write_bytes(CONTENT)
    _, info = backbones.read_weights(tmp_path / "mine.safetensors")
    assert (info.name, info.terms) == ("toy", "MIT")


def test_offline_one_line_says_which_file_to_put_where(toy: Pretrained, server: Server) -> None:
    unreachable = dataclasses.replace(toy, url="http://127.0.0.1:9/toy.safetensors")
    with pytest.raises(WeightsError, match="'toy' cannot be downloaded") as caught:
        fetch(unreachable)
    message = str(caught.value)
    assert "\n" not in message
    for part in (unreachable.url, f"put that file at {unreachable.path}", "--weights FILE"):
        assert part in message


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"content": CONTENT[:-3]}, "ended after"),
        ({"content": CONTENT[:-3], "length": len(CONTENT) - 3}, "ended after"),
        ({"content": CONTENT[:-1] + b"!"}, "its SHA-256 is not"),
        ({"content": CONTENT + b"!", "length": len(CONTENT) + 1}, "its SHA-256 is not"),
        ({"status": 404}, "Not Found"),
    ],
    ids="cut, shorter, changed, longer, gone".split(", "),
)
def test_what_is_not_the_published_file_is_refused_and_not_kept(
    change: dict[str, object], reason: str, toy: Pretrained, server: Server
) -> None:
    vars(server).update(change)
    with pytest.raises(WeightsError, match=f"{re.escape(toy.url)} .*{reason}"):
        fetch(toy)
    assert not list(toy.path.parent.iterdir())


def test_a_damaged_file_in_the_cache_is_named_and_left_alone(toy: Pretrained) -> None:
    toy.path.parent.mkdir()
    toy.path.write_bytes(b"damaged")
    with pytest.raises(WeightsError, match=rf"^{re.escape(str(toy.path))}: .*delete it"):
        fetch(toy)
    assert toy.path.read_bytes() == b"damaged"


def test_a_cache_that_cannot_be_written_is_named(
    toy: Pretrained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("PAENET_CACHE", str(tmp_path / "file"))
    with pytest.raises(WeightsError, match=r"toy\.safetensors: cannot be written .*PAENET_CACHE"):
        fetch(toy)


def test_progress_is_shown_on_a_terminal_and_never_on_stdout(
    toy: Pretrained, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # to rich this makes a terminal
    fetch(toy)
    shown = capsys.readouterr()
    assert "Downloading toy" in shown.err
    assert not shown.out


def test_without_a_terminal_nothing_is_shown(
    toy: Pretrained, capsys: pytest.CaptureFixture[str]
) -> None:
    fetch(toy)
    assert capsys.readouterr() == ("", "")
