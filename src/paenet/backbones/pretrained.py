"""Named pretrained weights: what they are, and how they get into the user's cache."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import urlopen

from platformdirs import user_cache_path

from paenet.backbones.errors import WeightsError
from paenet.files import replacing

if TYPE_CHECKING:
    from rich.progress import Progress

CHUNK = 1 << 20  # bytes
TIMEOUT = 30  # seconds without a byte


@dataclass(frozen=True, slots=True)
class Pretrained:
    """Published weights.

    Attributes:
        name: what recipes and commands call them.
        backbone: the name of the backbone that they are for, with its default arguments.
        url: where the file is published; its last part is the file's name in the cache.
        sha256: of the file, in hexadecimal.
        bytes: the file's size.
        source: who trained what, and on what.
        terms: under which terms they may be used, as far as anybody said.
    """

    name: str
    backbone: str
    url: str
    sha256: str
    bytes: int
    source: str
    terms: str

    @property
    def path(self) -> Path:
        """Where the file is kept: the user's cache, or the folder that `PAENET_CACHE` names."""
        given = os.environ.get("PAENET_CACHE")
        folder = Path(given) if given else user_cache_path("paenet")
        return folder / "weights" / self.url.rpartition("/")[2]


PRETRAINED: dict[str, Pretrained] = {
    weights.name: weights
    for weights in (
        Pretrained(
            name="facenet-vggface2",
            backbone="inception-resnet-v1",
            url="https://github.com/timesler/facenet-pytorch/releases/download/v2.2.9/"
            "20180402-114759-vggface2.pt",
            # The publisher gives no hash; this is what several projects that pin the file found.
            sha256="281cebca8662831adb987a874bdcb36e73f5b1c6dc5ee5878f305e985625d99b",
            bytes=111_898_327,
            source="davidsandberg/facenet 20180402-114759, trained on VGGFace2, converted by "
            "timesler/facenet-pytorch",
            terms="code of both repositories: MIT; for the weights nobody states terms, and those "
            "of VGGFace2 are reported as CC BY-SA 4.0 or non-commercial: clear them before "
            "commercial use",
        ),
    )
}
"""Weights by name; more are one more entry here."""


def cached(backbone: str) -> str | None:
    """The name of weights for a backbone that are in the cache already; None where none are."""
    found = (w.name for w in PRETRAINED.values() if w.backbone == backbone and w.path.exists())
    return next(found, None)


def fetch(weights: Pretrained) -> Path:
    """The file of `weights`, downloaded once; a file put there by hand is as good.

    Shows a progress bar on stderr where that is a terminal.

    Raises:
        WeightsError: where it can be neither found nor downloaded, says which file to put where;
            where it is not the file that it should be, says what to do.
    """
    path = weights.path
    if path.is_file():
        _check_kept(weights, path)
        return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as beside:
            _download(weights, beside)
    except OSError as error:
        raise WeightsError(
            f"{path}: cannot be written ({error.strerror or error}); make room or mend the "
            "permissions, or name another folder in PAENET_CACHE"
        ) from error
    return path


def _check_kept(weights: Pretrained, path: Path) -> None:
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read ({error.strerror or error})") from error
    if found != weights.sha256:
        raise WeightsError(
            f"{path}: is not the file that {weights.name!r} names (SHA-256 {found}, expected "
            f"{weights.sha256}); delete it, and it will be downloaded again"
        )


def _download(weights: Pretrained, target: Path) -> None:
    """Writes the file and checks it.

    Raises:
        WeightsError: where it cannot be had or is another one.
        OSError: where `target` cannot be written.
    """
    digest, size = hashlib.sha256(), 0
    with target.open("wb") as file, _bar(weights) as progress:
        for chunk in _chunks(weights):
            size += len(chunk)
            if size > weights.bytes:
                break
            file.write(chunk)
            digest.update(chunk)
            progress.advance(progress.task_ids[0], len(chunk))
    if size < weights.bytes:
        raise _unavailable(weights, f"the answer ended after {size} of {weights.bytes} bytes")
    if size > weights.bytes or digest.hexdigest() != weights.sha256:
        raise _unavailable(weights, f"that is another file: its SHA-256 is not {weights.sha256}")


def _chunks(weights: Pretrained) -> Iterator[bytes]:
    try:
        with urlopen(weights.url, timeout=TIMEOUT) as answer:
            while chunk := answer.read(CHUNK):
                yield chunk
    except (OSError, HTTPException) as error:
        raise _unavailable(weights, str(getattr(error, "reason", error))) from error


@contextmanager
def _bar(weights: Pretrained) -> Iterator[Progress]:
    # Here, because few downloads are ever made, and whatever takes a pack would wait for rich.
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        progress.add_task(f"Downloading {weights.name}", total=weights.bytes)
        yield progress


def _unavailable(weights: Pretrained, reason: str) -> WeightsError:
    return WeightsError(
        f"{weights.name!r} cannot be downloaded from {weights.url} ({reason}); put that file at "
        f"{weights.path}, or give a file of weights in place of the name (--weights FILE)"
    )
