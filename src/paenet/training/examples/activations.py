"""What stems make of a split, computed once and kept: a task with a stem learns from it."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from numpy.lib import format as npy
from numpy.typing import NDArray
from torch import Tensor, nn

from paenet.errors import first_line
from paenet.files import replacing
from paenet.training.errors import RunError
from paenet.training.examples.data import Progress
from paenet.training.examples.describing import digests
from paenet.training.examples.sources import ActivationSource, ImageSource, laid_out
from paenet.training.machine import enough_memory, generator

# Part of the key: raise it when the same stem would give other numbers.
_VERSION = 2
_PIECE = 1024  # images to a file, so that a pass that is killed goes on where it was
_LARGEST = float(np.finfo(np.float16).max)


@dataclass(frozen=True)
class Keeper:
    """Where activations are kept, and what they depend on beside stem and images.

    Attributes:
        folder: of the cache.
        base: fingerprint of the task whose stems they are.
        precision: what the pass computes in.
        seed: of the views that vary.
        batch: images at a time.
        exact: in float32, whatever `precision`, as networks are judged; else in half precision,
            as they are trained.
    """

    folder: Path
    base: str
    precision: str
    seed: int
    batch: int
    accelerator: Accelerator
    exact: bool = False

    def keep(
        self,
        stems: Mapping[str, nn.Module],
        images: ImageSource,
        views: Mapping[str, int],
        progress: Progress | None = None,
    ) -> dict[str, ActivationSource]:
        """What each of some stems makes of images; computed in one pass where it is not there.

        Args:
            stems: by name, from the shallowest on; each continues from the one before. Of those
                that are not to be kept, what is kept exactly is where deeper ones begin.
            images: what they see.
            views: of each image after the stems that are to be kept, at least one: as it is,
                mirrored where training mirrors, then augmented.
            progress: told while images are computed.

        Raises:
            RunError: where the cache cannot be written or read.
        """
        pieces = math.ceil(len(images) / _PIECE)
        computed = digests(stems)
        folders = {name: self.folder / self._key(computed[name], images) for name in stems}
        called = [self._called(view, images) for view in range(max(views.values()))]
        files = {
            name: [[folders[name] / f"{view}-{i}.npy" for i in range(pieces)] for view in called]
            for name in stems
        }
        if self.accelerator.is_main_process:
            for view in range(len(called)):
                for i in range(pieces):
                    there = {name: files[name][view][i] for name in stems}
                    wanted = [name for name in stems if view < views.get(name, 0)]
                    rows = np.arange(i * _PIECE, min((i + 1) * _PIECE, len(images)))
                    self._complete(stems, wanted, there, self._shown(images, view, rows))
                    if progress is not None:
                        progress(view * len(images) + int(rows[-1]) + 1, len(called) * len(images))
        self.accelerator.wait_for_everyone()
        return {name: _opened(files[name][:count]) for name, count in views.items()}

    def _complete(
        self,
        stems: Mapping[str, nn.Module],
        wanted: Sequence[str],
        files: Mapping[str, Path],
        shown: Iterator[Tensor],
    ) -> None:
        """Writes the files of those stems that are wanted and missing."""
        missing = [name for name in wanted if not files[name].exists()]
        if not missing:
            return
        names = list(stems)
        before = names[: names.index(missing[0])]
        start = next((name for name in reversed(before) if files[name].exists()), None)
        # What is rounded would have results depend on what the cache holds.
        if start is not None and self.exact:
            shown = self._kept(files[start])
            stems = {name: stems[name] for name in names[names.index(start) + 1 :]}
        found: dict[str, list[NDArray[Any]]] = {name: [] for name in missing}
        for inputs in shown:
            for name, values in self._computed(stems, inputs, missing[-1]):
                if name in found:
                    found[name].append(_single(values) if self.exact else _half(values))
        for name, batches in found.items():
            _write(files[name], np.concatenate(batches))

    @torch.inference_mode()
    def _computed(
        self, stems: Mapping[str, nn.Module], inputs: Tensor, last: str
    ) -> Iterator[tuple[str, Tensor]]:
        for name, stem in stems.items():
            # Anew for each: where this yields, inference mode ends, and takes autocast along.
            half = nullcontext() if self.exact else self.accelerator.autocast()
            with half, enough_memory(f"stem {name!r} on batches of {self.batch} images"):
                inputs = laid_out(stem(inputs)) if self.exact else stem(inputs)
            yield name, inputs
            if name == last:
                return

    def _kept(self, file: Path) -> Iterator[Tensor]:
        """What a file holds, in the batches in which it was computed."""
        source = _opened([[file]])
        for start in range(0, len(source), self.batch):
            yield source.inputs(slice(start, start + self.batch), self.accelerator.device)

    def _shown(self, images: ImageSource, view: int, rows: NDArray[np.int64]) -> Iterator[Tensor]:
        """One view of some rows, in batches."""
        device = self.accelerator.device
        draw = generator(self.seed, "view", view, int(rows[0]))
        for start in range(0, len(rows), self.batch):
            some = rows[start : start + self.batch]
            if view == 0:
                yield images.inputs(some, device)
            elif not _varies(view, images):
                yield images.inputs(some, device).flip(3)
            else:
                yield images.varied(some, draw, device)

    def _called(self, view: int, images: ImageSource) -> str:
        """What a view's files are called: those that vary by what they are drawn from, too."""
        if not _varies(view, images):
            return str(view)
        drawn = _digest(seed=self.seed, augment=asdict(images.augment))
        return f"{view}-{drawn[:16]}"

    def _key(self, computed: str, images: ImageSource) -> str:
        return _digest(
            version=_VERSION,
            base=self.base,
            computed=computed,  # the base's fingerprint knows tensors, not what is done with them
            images=images.split.hash,
            view=images.view.said(),
            precision="exact" if self.exact else self.precision,
            batch=self.batch,  # on which the last bits depend
        )


def gigabytes(shape: Sequence[int], images: int, *, exact: bool = False) -> float:
    """What one view of so many images takes.

    Args:
        shape: of a stem's output for one image.
        exact: see `Keeper`.
    """
    return (4 if exact else 2) * math.prod(shape) * images / 1e9


def _varies(view: int, images: ImageSource) -> bool:
    """Whether a view is drawn; the others are of images as they are, and mirrored."""
    return view > 1 or (view == 1 and images.augment.flip == 0)


def size_of(source: ActivationSource) -> int:
    """Bytes of the files."""
    return sum(piece.nbytes for view in source.views for piece in view)


def _single(values: Tensor) -> NDArray[np.float32]:
    # A copy: the next stem may change its input in place.
    found: NDArray[np.float32] = values.float().cpu().numpy().copy()
    return found


def _half(values: Tensor) -> NDArray[np.float16]:
    found: NDArray[np.float16] = values.float().clamp(-_LARGEST, _LARGEST).half().cpu().numpy()
    return found


def _write(file: Path, values: NDArray[Any]) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with replacing(file) as beside, beside.open("wb") as out:
            np.save(out, values, allow_pickle=False)
    except OSError as error:
        raise RunError(
            f"{file.parent}: cannot keep activations there: {error.strerror or error}; free some "
            "space, lower activations.gigabytes, or name another cache in PAENET_CACHE"
        ) from None


def _opened(files: Sequence[Sequence[Path]]) -> ActivationSource:
    try:
        return ActivationSource([[_mapped(file) for file in view] for view in files])
    except (OSError, ValueError, RuntimeError) as error:
        raise RunError(
            f"{files[0][0].parent}: cannot be read: {first_line(error)}; clear it (pae cache clear)"
        ) from None


def _mapped(file: Path) -> NDArray[Any]:
    """A file's values, read where they are used."""
    with file.open("rb") as opened:
        npy.read_magic(opened)
        shape, _, kind = npy.read_array_header_1_0(opened)
        start = opened.tell()
    # By torch, which closes the file again; of NumPy's maps each holds a descriptor, and a system
    # gives a process a thousand.
    size = start + math.prod(shape) * kind.itemsize
    held: NDArray[np.uint8] = torch.from_file(str(file), size=size, dtype=torch.uint8).numpy()
    return held[start:].view(kind).reshape(shape)


def _digest(**parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]
