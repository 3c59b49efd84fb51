"""The size of a pack's file beside other ways to store it, and what reading and writing cost."""

from __future__ import annotations

import copy
import statistics
import tempfile
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import nn

from paenet import packfile
from paenet.bench.processes import peak_of_loading
from paenet.bench.rivals import RIVALS
from paenet.bench.timing import ratio, timed
from paenet.packfile import PackFile, PackFileError
from paenet.packfile.accounting import MIB
from paenet.packing.values import NATIVE, fit_table, snap

GRIDS = ("float32", "bfloat16", "int8", "codebook4")


def bench_file(held: PackFile, *, repeats: int = 5) -> dict[str, Any]:
    """Measures a pack's file; figures are JSON types.

    Args:
        held: the pack, its networks buildable from its spec.
        repeats: of every timing; the two sides of a ratio take turns.

    Returns:
        of_separate: per value grid, the file by as many dense float32 networks (parameters at 4
            bytes) as there are tasks, every task's own weights rounded to that grid, and norms
            and heads to bfloat16 where the grid is coarser than float32.
        owners_over_entropy: owner maps by their order-0 entropy, layer by layer; None where they
            hold no information, as where one task owns every weight.
        against: the file by each other way to store the same tasks; None where a library that
            does it is not installed.
        load_over_safetensors: every task as a module, by safetensors' reading of the dense
            networks into modules; by medians.
        load_peak_over_materialised: the growth in memory while that is done, by the modules'
            size; and `one_load_peak_over_materialised` for one task alone.
        save_seconds: median.

    Raises:
        PackFileError: where the pack has no task.
    """
    if not held.pack.tasks:
        raise PackFileError("the pack has no task; give one that has")
    account = packfile.accounting(held)
    separate = account["separate_mib"] * MIB
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sizes = {grid: _written(_rounded(held, grid), folder) for grid in GRIDS}
        path = folder / "pack.pae"
        seconds = [timed(lambda: _write(held, path)) for _ in range(repeats)]
        ledger = packfile.ledger(path)
        owners, entropy, values = (
            sum(task[key] for task in ledger["tasks"].values())
            for key in ("owners", "owners_entropy", "values_entropy")
        )
        networks = packfile.load(path)
        others: dict[str, float | None] = {
            "paper": account["paper_mib"] * MIB,
            "entropy": entropy + values,
        }
        others |= {name: store(held.pack, networks, folder) for name, store in RIVALS.items()}
        loading = _loading(path, networks, folder, repeats)
        first = next(iter(networks))
        return {
            "tasks": len(networks),
            "file_bytes": ledger["total"],
            "of_separate": {grid: size / separate for grid, size in sizes.items()},
            "owners_over_entropy": owners / entropy if entropy else None,
            "against": {
                rival: None if size is None else ledger["total"] / size
                for rival, size in others.items()
            },
            "load_over_safetensors": loading,
            "load_peak_over_materialised": peak_of_loading(path, None),
            "one_load_peak_over_materialised": peak_of_loading(path, first),
            "save_seconds": statistics.median(seconds),
            "repeats": repeats,
        }


def _rounded(held: PackFile, grid: str) -> PackFile:
    """The pack with every task's own weights on a grid, and then the rest in bfloat16."""
    pack = copy.deepcopy(held.pack)
    for task in pack.tasks.values():
        task.fingerprint = None  # it becomes another
    for name, layer in pack.layers.items():
        for task in pack.tasks.values():  # those that are seen come first
            mine = layer.owner == task.slot
            table = fit_table(grid, layer.theta, mine)
            beside = pack.visible(name, pack.seen_slots(name, task.sees, task.stem))
            layer.theta[mine] = snap(grid, layer.theta, mine, table, beside)[mine]
    for task in pack.tasks.values() if grid != NATIVE else ():
        for tensor in (*task.private.values(), *task.head.state_dict().values()):
            if tensor.dtype == torch.float32:
                tensor.copy_(tensor.bfloat16())
    return PackFile(pack, held.spec, held.about)


def _written(held: PackFile, folder: Path) -> int:
    path = folder / "rounded.pae"
    _write(held, path)
    return path.stat().st_size


def _write(held: PackFile, path: Path) -> None:
    packfile.write(held.pack, path, backbone=held.spec, about=held.about)


def _loading(path: Path, networks: dict[str, nn.Sequential], folder: Path, repeats: int) -> float:
    """Seconds of loading a pack by those of reading dense networks; medians."""
    files = {}
    # Numbered: a task's name may be any text, a path out of the folder among them.
    for number, (name, network) in enumerate(networks.items()):
        files[name] = folder / f"dense-{number}.safetensors"
        safetensors.torch.save_file(network.state_dict(), files[name])
    skeletons = {name: copy.deepcopy(network).to("meta") for name, network in networks.items()}

    def read_dense() -> None:
        for name, file in files.items():
            network = copy.deepcopy(skeletons[name]).to_empty(device="cpu")
            safetensors.torch.load_model(network, file)

    read_dense()  # both sides from the page cache from now on
    packfile.load(path)
    return ratio(lambda: packfile.load(path), read_dense, repeats)
