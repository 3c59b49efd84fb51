"""Several tasks as one module: a trunk that they share, and a branch for each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from torch import Tensor, fx, nn

from paenet.engine.folding import fold_norms
from paenet.engine.sources import Sources
from paenet.packing import PackingError, Split, segments, splits, work_of


@dataclass(frozen=True, slots=True)
class Branch:
    """What a task computes by itself.

    Attributes:
        task: its name.
        start: how many parts of the trunk come before it.
        work: its multiplications by those of one dense network.
    """

    task: str
    start: int
    work: float


class SharedNetwork(nn.Module):
    """Some tasks of a pack in one pass; a plain module without hooks, for any tool.

    The base's network is cut where stems end. A task goes on from there with what is its own; the
    base itself does so where the last stem ends.

    Args:
        sources: networks that this one takes over.
        fold: whether norms are folded into the convolutions and linear layers before them.

    Attributes:
        branches: of every task, in the order in which they are asked for.
        trunk_work: multiplications of the trunk by those of one dense network.

    Shape:
        `(N, …)`, the input of every task, to a dictionary of what their heads return.
    """

    def __init__(self, sources: Sources, *, fold: bool = True) -> None:
        super().__init__()
        found = _splits(sources)
        ends = _ends(sources, found)
        trunk, bases_own = _cut(sources, ends)
        shared = sum(map(_work, trunk))
        self.trunk = nn.ModuleList(_ready(part, fold) for part in trunk)
        starts, works, tails = [], [], []
        for name in sources.asked:
            network, stem = sources.networks[name], sources.stems[name]
            if name == sources.base and ends:
                start, rest = len(ends), bases_own
            elif stem is None:
                start, rest = 0, _whole(network, sources.example)
            else:
                backbone = network.get_submodule("backbone")
                start = ends.index(stem) + 1
                rest = segments(backbone, _example(sources), [stem])[1]
            starts.append(start)
            works.append(_work(rest))
            tails.append(nn.Sequential(_ready(rest, fold), network.get_submodule("head")))
        if ends:
            dense = shared + _work(bases_own)
        elif sources.base in sources.asked:
            dense = works[sources.asked.index(sources.base)]
        else:  # the base is not at hand; the others are as wide, unless they have widened
            dense = max(works)
        self.trunk_work = shared / dense if dense else 0.0
        self.branches = [
            Branch(name, start, work / dense if dense else 1.0)
            for name, start, work in zip(sources.asked, starts, works, strict=True)
        ]
        self.tails = nn.ModuleList(tails)
        self.requires_grad_(False).eval()

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        shared = [x]
        for part in self.trunk:
            shared.append(part(shared[-1]))
        return {
            branch.task: tail(shared[branch.start])
            for branch, tail in zip(self.branches, self.tails, strict=True)
        }


def _example(sources: Sources) -> Tensor:
    assert sources.example is not None  # without it no task could have a stem
    return sources.example


def _splits(sources: Sources) -> Mapping[str, Split]:
    """Where the base's network can be split; empty where no task that is asked for has a stem."""
    if not any(sources.stems[name] for name in sources.asked):
        return {}
    return splits(sources.networks[str(sources.base)].get_submodule("backbone"), _example(sources))


def _ends(sources: Sources, found: Iterable[str]) -> list[str]:
    """The stems in use, from the input to the output."""
    used = {sources.stems[name] for name in sources.asked}
    return [name for name in found if name in used]


def _cut(sources: Sources, ends: list[str]) -> tuple[list[fx.GraphModule], nn.Module]:
    """The base's network up to each end, and what remains of it."""
    if not ends:
        return [], nn.Identity()
    backbone = sources.networks[str(sources.base)].get_submodule("backbone")
    *trunk, rest = segments(backbone, _example(sources), ends)
    return trunk, rest


def _work(part: nn.Module) -> int:
    """Multiplications for one input; 0 where they are not known."""
    return work_of(part) if isinstance(part, fx.GraphModule) else 0


def _whole(network: nn.Sequential, example: Tensor | None) -> nn.Module:
    """A backbone as a graph, whose norms can be folded; as it is, where it cannot be traced."""
    backbone = network.get_submodule("backbone")
    if example is None:
        return backbone
    try:
        (whole,) = segments(backbone, example, [])
    except PackingError:
        return backbone
    return whole


def _ready(part: nn.Module, fold: bool) -> nn.Module:
    part.eval()
    if fold and isinstance(part, fx.GraphModule):
        fold_norms(part)
    return part
