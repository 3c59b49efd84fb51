"""What frozen weights cost: a training step of a learner ÷ the same step of a plain network.

python -m benchmarks.step [--pairs 15] [--json docs/results/step.json]
"""

from __future__ import annotations

import json
import statistics
import time
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from torch import nn

from paenet import backbones
from paenet.packing import Pack
from paenet.training import versions
from paenet.training.precision import choose_precision

CASES = (
    ("small", 64, 64, False),
    ("inception-resnet-v1", 160, 32, False),
    ("inception-resnet-v1", 160, 32, True),
)


def main(
    pairs: Annotated[int, typer.Option(min=3, help="Steps of each, interleaved.")] = 15,
    out: Annotated[Path | None, typer.Option("--json", help="Write the figures there.")] = None,
) -> None:
    """Prints a row per case; a ratio of 1 is free.

    bfloat16 is measured where the processor gains by it.
    """
    gains = choose_precision("auto", torch.device("cpu")) == "bf16"
    rows = [_measure(*case, pairs) for case in CASES if gains or not case[-1]]
    for row in rows:
        print(
            f"{row['backbone']:20} {row['pixels']} px  batch {row['batch']}  {row['precision']:8} "
            f"{row['median']:.3f} ({row['low']:.3f}–{row['high']:.3f})"
        )
    if out is not None:
        command = f"python -m benchmarks.step --pairs {pairs} --json {out}"
        document = {"kind": "step", "command": command, "versions": versions(), "rows": rows}
        out.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def _measure(name: str, pixels: int, batch: int, half: bool, pairs: int) -> dict[str, Any]:
    torch.manual_seed(0)
    images = torch.randn(batch, 3, pixels, pixels).contiguous(memory_format=torch.channels_last)
    plain, learner = backbones.create(name), _second_task(name)
    steps = [_Step(network, images, half) for network in (plain, learner)]
    for step in steps:
        step()  # the first one allocates
    ratios = []
    for turn in range(pairs):
        first, second = steps if turn % 2 == 0 else reversed(steps)
        seconds = {id(first): first(), id(second): second()}
        ratios.append(seconds[id(steps[1])] / seconds[id(steps[0])])
    low, median, high = statistics.quantiles(ratios, n=4)
    return {
        "backbone": name,
        "pixels": pixels,
        "batch": batch,
        "precision": "bfloat16" if half else "float32",
        "median": median,
        "low": low,
        "high": high,
        "pairs": pairs,
    }


def _second_task(name: str) -> nn.Module:
    """A learner beside a first task that holds half of the weights."""
    pack = Pack(backbones.create(name))
    first = pack.learn("first", head=nn.Identity())
    first.prune(to=0.5)
    first.freeze()
    return pack.learn("second", head=nn.Identity())


class _Step:
    """One training step, timed."""

    def __init__(self, network: nn.Module, images: torch.Tensor, half: bool) -> None:
        self._network = network.to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
        self._images = images
        self._half = half
        self._optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4)

    def __call__(self) -> float:
        started = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=self._half):
            output = self._network(self._images)
        output.float().square().mean().backward()
        self._optimizer.step()
        self._optimizer.zero_grad()
        return time.perf_counter() - started


if __name__ == "__main__":
    typer.run(main)
