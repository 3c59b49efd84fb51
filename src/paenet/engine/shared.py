"""Several tasks as one module: a trunk that they share, and a branch for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import torch
from torch import Tensor, fx, nn

from paenet.engine.errors import EngineError
from paenet.engine.folding import fold_norms
from paenet.engine.prepacking import prepack
from paenet.engine.sources import Sources
from paenet.packing import PackingError, Split, Stem, Traced, work_of
from paenet.packing.layout import join
from paenet.packing.stems import alters, refuse_wrong_stem


@dataclass(frozen=True, slots=True)
class Branch:
    """What a task computes by itself.

    Attributes:
        task: its name.
        start: how many parts of the trunk come before it.
        work: its multiplications by those of one dense network, the given one at width 1.
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

    Raises:
        EngineError: where a task's stem is not the part of the base that it is named after.

    Shape:
        `(N, …)`, the input of every task, to a dictionary of what their heads return.
    """

    def __init__(self, sources: Sources, *, fold: bool = True) -> None:
        super().__init__()
        if fold:  # in no less than what answers are computed in
            for network in sources.networks.values():
                _in_float32(network)
        cutting = _Cutting(sources)
        ends = cutting.ends()
        *trunk, bases_own = cutting.parts(str(sources.base), ends) if ends else [nn.Identity()]
        shared = sum(map(_work, trunk))
        wholes: dict[int, int] = {}  # multiplications of whole networks, by width
        if ends:
            wholes[sources.widths[str(sources.base)]] = shared + _work(bases_own)
        self.trunk = nn.ModuleList(_ready(part, fold) for part in trunk)
        starts, works, tails = [], [], []
        for name in sources.asked:
            stem = sources.stems[name]
            rest: nn.Module
            if name == sources.base and ends:
                start, rest = len(ends), bases_own
            elif stem is None:
                start, rest = 0, cutting.whole(name)
                wholes[sources.widths[name]] = _work(rest)
            else:
                start, rest = ends.index(stem.name) + 1, cutting.after(name, stem.name)
            starts.append(start)
            works.append(_work(rest))
            head = sources.networks[name].get_submodule("head")
            tails.append(nn.Sequential(_ready(rest, fold), head))
        known = sources.given in wholes
        dense = wholes[sources.given] if known else cutting.work_of_given()
        self.trunk_work = shared / dense if dense else 0.0
        self.branches = [
            Branch(name, start, work / dense if dense else 1.0)
            for name, start, work in zip(sources.asked, starts, works, strict=True)
        ]
        self.tails = nn.ModuleList(tails)
        self.requires_grad_(False).eval()

    def prepack(self) -> None:
        """Lays it out for fast passes on the processor; see `paenet.engine.prepacking`."""
        for part in list(self.modules()):
            if isinstance(part, fx.GraphModule):
                prepack(part)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        shared = [x]
        for part in self.trunk:
            shared.append(part(shared[-1]))
        return {
            branch.task: tail(shared[branch.start])
            for branch, tail in zip(self.branches, self.tails, strict=True)
        }


class _Cutting:
    """The backbones of some tasks, cut where stems end; of every width, one is traced."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._traced: dict[int, Traced] = {}
        self._states: dict[str, Mapping[str, Tensor]] = {}

    def splits(self) -> Mapping[str, Split]:
        """Where the base's network can be split; empty where no task asked for has a stem."""
        if not any(self._sources.stems[name] for name in self._sources.asked):
            return {}
        if self._sources.example is None:
            raise EngineError("the pack has stems and does not say what its networks are fed")
        return self._trace(str(self._sources.base)).splits

    def ends(self) -> list[str]:
        """The names of the stems in use, from the input to the output."""
        splits, used = self.splits(), set()
        for task in self._sources.asked:
            stem = self._sources.stems[task]
            if stem is not None:
                self._refuse_wrong(task, stem, splits)
                used.add(stem.name)
        return [name for name in splits if name in used]

    def parts(self, task: str, ends: Sequence[str]) -> list[fx.GraphModule]:
        """A task's backbone up to each end, and what remains of it."""
        return self._trace(task).segments(ends, self._backbone(task))

    def after(self, task: str, stem: str) -> fx.GraphModule:
        """What of a task's backbone follows its stem."""
        return self._trace(task).after(stem, self._backbone(task))

    def whole(self, task: str) -> nn.Module:
        """A backbone as a graph, whose norms can be folded; as it is, where it has none."""
        if self._sources.example is None:
            return self._backbone(task)
        try:
            (whole,) = self.parts(task, [])
        except PackingError:
            return self._backbone(task)
        return whole

    def work_of_given(self) -> int:
        """Multiplications of the given network for one input; 0 where they are not known."""
        if self._sources.example is None:
            return 0
        try:
            return work_of(*Traced(self._sources.skeleton(), self._sources.example).segments([]))
        except PackingError:
            return 0

    def _refuse_wrong(self, task: str, stem: Stem, splits: Mapping[str, Split]) -> None:
        """Refuses a task that does not compute what the trunk does where it says so."""
        try:
            refuse_wrong_stem(splits, stem)
        except PackingError as error:
            raise EngineError(f"task {task!r}: {error}") from None
        own, base = (self._state(name) for name in (task, str(self._sources.base)))
        weights = {join(layer, "weight") for layer in stem.layers}  # the base's, as it names them
        for key in sorted(splits[stem.name].keys(own) - weights):
            if not torch.equal(own[key], base[key]):
                raise EngineError(
                    f"task {task!r}: {key!r} in its stem {stem.name!r} is not the base's; learn "
                    "the task again"
                )

    def _state(self, task: str) -> Mapping[str, Tensor]:
        if task not in self._states:
            self._states[task] = self._backbone(task).state_dict()
        return self._states[task]

    def _trace(self, task: str) -> Traced:
        width = self._sources.widths[task]
        if width not in self._traced:
            assert self._sources.example is not None  # without it no task could have a stem
            self._traced[width] = Traced(self._backbone(task), self._sources.example)
        return self._traced[width]

    def _backbone(self, task: str) -> nn.Module:
        return self._sources.networks[task].get_submodule("backbone")


def _in_float32(network: nn.Module) -> None:
    """What `network.float()` does; it takes a while where there is nothing to do, too."""
    tensors = chain(network.parameters(), network.buffers())
    if any(t.is_floating_point() and t.dtype != torch.float32 for t in tensors):
        network.float()


def _work(part: nn.Module) -> int:
    """Multiplications for one input; 0 where they are not known."""
    return work_of(part) if isinstance(part, fx.GraphModule) else 0


def _ready(part: nn.Module, fold: bool) -> nn.Module:
    """A part as it runs: what it is given is others' too, so it works in place on a copy alone."""
    part.eval()
    copies = not isinstance(part, fx.GraphModule) or alters(part)
    if fold and isinstance(part, fx.GraphModule):
        fold_norms(part)
    return nn.Sequential(_Copied(), part) if copies else part


class _Copied(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.clone()
