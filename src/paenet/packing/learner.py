"""A task that is being learnt: trainable weights in a network that is otherwise constant."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, fx, nn
from torch.nn.modules.dropout import _DropoutNd

from paenet.packing.adoption import refuse_cast
from paenet.packing.errors import PackingError
from paenet.packing.layout import PRIVATE
from paenet.packing.owned import OwnedWeight, constants_in, owned_layers
from paenet.packing.pruning import Rank, keep_largest
from paenet.packing.reshaping import Channels, Reshaped, narrowed, widened
from paenet.packing.starting import start, warm_start
from paenet.packing.stems import Split, alters, segments
from paenet.packing.values import check_grid
from paenet.packing.widening import Maps, Width, compose

if TYPE_CHECKING:
    from paenet.packing.methods import Claims
    from paenet.packing.pack import Norms, Pack
    from paenet.packing.parts import PackedTask


class Learner(nn.Module):
    """A task's network while it is learnt: an ordinary module for any training loop.

    Made by `Pack.learn`. Frozen weights are constants of the network, not parameters of it. The
    pack knows nothing of what is learnt until `freeze`.

    Attributes:
        name, sees, norms, claims: as given to `Pack.learn`.
        picks: whether it learns which of the weights that it sees it uses; see `scores_of`.
        split: up to where the network is the base's; None for nowhere.
        backbone, head: the network; its forward pass is `head(backbone(x))`.
        width: what the builder was given for this network.
        claimed: per layer, how many weights the task could own: what `prune` counts against.
        maps: where the pack's channels lie in this network, once it was widened.
        channels: where this network's channels lie in the pack's, once some were given up.
    """

    def __init__(
        self,
        pack: Pack,
        name: str,
        head: nn.Module,
        sees: tuple[str, ...],
        norms: Norms,
        claims: Claims,
        split: Split | None,
        picks: bool,
        seed: int,
    ) -> None:
        super().__init__()
        self._pack = [pack]  # in a list, because a pack is no part of the network
        self._frozen = False
        self._widest = [pack.widths[-1].skeleton]
        self.name, self.sees, self.norms, self.claims = name, sees, norms, claims
        self.split, self.picks, self._seed = split, picks, seed
        self.width: Width = pack.widths[-1].width
        self.skeleton = [pack.widths[-1].skeleton]
        self.maps: Maps | None = None
        self.channels: Channels | None = None
        self.backbone, self.claimed = start(pack, sees, norms, claims, split, picks, seed)
        self.head = head
        self.register_load_state_dict_post_hook(_see_again)  # type: ignore[no-untyped-call]
        self.train()

    def __deepcopy__(self, memo: dict[int, Any]) -> Learner:
        # A copy (an average of weights, say) learns for the same pack.
        shared = [part for part in (self._pack[0], self._widest[0]) if id(part) not in memo]
        memo.update({id(part): part for part in shared})
        twin = type(self).__new__(type(self))
        memo[id(self)] = twin
        twin.__dict__.update(copy.deepcopy(self.__dict__, memo))
        for part in shared:  # for whoever is copied along with the learner it is no shared one
            del memo[id(part)]
        return twin

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.head(self.backbone(x))
        return output

    def halves(self) -> tuple[nn.Module, nn.Module]:
        """The network as two: its stem, which is constant, and what follows, head included.

        What follows can be trained on outputs of the stem that were kept. Both share the
        learner's tensors, until it widens. What a forward asks of `self.training` itself (for
        `functional.dropout`, say) is as in evaluation; layers follow the mode that they are in.

        Raises:
            PackingError: where the task has no stem.
        """
        if self.split is None:
            raise PackingError(f"task {self.name!r} has no stem")
        example = self._pack[0].example
        assert example is not None  # without it there are no splits
        example = torch.zeros(example.shape)
        stem, rest = segments(self.backbone, example, [self.split.name])
        for name, module in list(stem.named_modules()):
            if isinstance(module, _DropoutNd):  # the learner, or what follows, may train its own
                stem.set_submodule(name, nn.Identity())
        return stem.eval(), _Rest(self, rest)

    @property
    def _ddp_params_and_buffers_to_ignore(self) -> list[str]:
        """What DistributedDataParallel need not send to the other processes before each step."""
        return constants_in(self)

    def owned(self) -> dict[str, tuple[nn.Parameter, OwnedWeight]]:
        """Per packed layer, its theta and the parametrisation that says what is trainable."""
        return owned_layers(self.backbone)

    @property
    def weights(self) -> int:
        """How many packed weights the task owns now."""
        return sum(int(weight.trainable.sum()) for _, weight in self.owned().values())

    @property
    def sparsity(self) -> float:
        """Share of the weights it claimed that it has released, in [0, 1]."""
        claimed = sum(self.claimed.values())
        return 1 - self.weights / claimed if claimed else 0.0

    @torch.no_grad()
    def warm_start(self, state: Mapping[str, Tensor]) -> None:
        """Has the task's own weights begin at those of another network, mostly the given one.

        Without, they begin at zero: what earlier tasks gave up in the given network is gone. With
        its values, what the task sees and what it may train are together nearly that network.

        Args:
            state: a state dict for the backbone at width 1; its packed layers' weights are used.

        Raises:
            PackingError: where a weight is missing or has another shape, or the task is frozen
                or has another width than at its start.
        """
        self._refuse_frozen()
        if self.maps is not None or self.channels is not None:
            raise PackingError(f"task {self.name!r} has another width by now; start it warm first")
        warm_start(self._pack[0], self.owned(), state)

    @torch.no_grad()
    def prune(self, to: float, rank: Rank = "layer") -> None:
        """Releases the smallest of the task's own weights; they compute as zero from now on.

        Args:
            to: share of the claimed weights that is released in all, in [0, 1).
            rank: compare weights within their layer, or over the whole network.

        Raises:
            PackingError: where `to` is out of range, `rank` unknown, or the task frozen.
        """
        self._refuse_frozen()
        if isinstance(to, bool) or not 0 <= to < 1:
            raise PackingError(f"prune(to={to}): give a share from 0 to below 1")
        owned = self.owned()
        kept = keep_largest(
            {name: theta for name, (theta, _) in owned.items()},
            {name: weight.trainable for name, (_, weight) in owned.items()},
            {name: round(count * (1 - to)) for name, count in self.claimed.items()},
            rank,
        )
        for name, (_, weight) in owned.items():
            weight.trainable.copy_(kept[name])

    @torch.no_grad()
    def snap(self, grid: str) -> None:
        """Keeps the task's own weights to a value grid from now on, as they are frozen later.

        Each layer's grid is fitted to the values that the weights have now. Training goes on with
        the rounded values in the network: a weight then moves from one value to another. Widening
        forgets the grid, so snap last.

        Args:
            grid: one of `paenet.packing.GRIDS`; `float32` lifts what was set before.

        Raises:
            PackingError: where there is no such grid, the weights are not float32, or the task is
                frozen.
        """
        self._refuse_frozen()
        owned = self.owned()
        for theta, _ in owned.values():
            check_grid(grid, theta.dtype)
        for theta, weight in owned.values():
            weight.snap(grid, theta)

    @torch.no_grad()
    def round_rest(self) -> None:
        """Rounds the task's norms, biases, slopes and head to bfloat16 values, once.

        Raises:
            PackingError: where the task is frozen.
        """
        self._refuse_frozen()
        private = set(self._pack[0].layout.private) - self._borrowed()
        rest = [t for key, t in self.backbone.state_dict().items() if key in private]
        for tensor in (*rest, *self.head.state_dict().values()):
            if tensor.dtype == torch.float32:
                tensor.copy_(tensor.bfloat16())

    @torch.no_grad()
    def widen(self, width: Width, seed: int | None = None) -> None:
        """Adds filters: continues at `width`, computing at first exactly what it computes now.

        The parameters are new ones: make a new optimiser afterwards. Older tasks keep their
        width. New channels start from the builder's own initialisation; what they pass on to the
        older ones starts at zero (Chen et al., 2016, "Net2Net").

        Raises:
            PackingError: where the pack has no builder or no example input, the task may claim
                no weights, it was cast to another type, its stem would be widened, or the
                function cannot be preserved; names the layer.
        """
        self._refuse_frozen()
        if self.claims == "none":
            raise PackingError(f"task {self.name!r} claims no weights, so it cannot widen")
        if self.channels is not None:
            raise PackingError(f"task {self.name!r} has given channels up; widen it before that")
        pack = self._pack[0]
        refuse_cast(pack, self)
        width = copy.deepcopy(width)  # the pack keeps it; a mapping may be changed by who made it
        shape = widened(self, pack, width, self._seed if seed is None else seed)
        self._take(shape, width)
        self.maps = shape.maps if self.maps is None else compose(self.maps, shape.maps)

    @torch.no_grad()
    def narrow(self, width: Width, seed: int | None = None) -> None:
        """Takes whole channels away: continues at `width`, with the channels that pass on most.

        The task's own network then costs less work, and other tasks keep theirs. Unlike widening
        this changes what it computes: train on. The parameters are new ones: make a new optimiser.

        Args:
            width: what the builder is given; at most as wide as the network is, in every layer.
            seed: of the builder's own values, none of which is kept.

        Raises:
            PackingError: where the pack has no builder, no example input or no task yet; where the
                task was widened, uses the base's norms, or was cast to another type; where its
                stem would change, or a layer would be wider; names the layer.
        """
        self._refuse_frozen()
        pack = self._pack[0]
        refusals = {
            "is the first task, whose channels the others need": pack.base is None,
            "uses the base's norms, which have the base's channels": self.norms == "base",
            "was widened; learn it anew at a width between": self.maps is not None,
        }
        for reason, found in refusals.items():
            if found:
                raise PackingError(f"task {self.name!r} cannot give channels up: it {reason}")
        refuse_cast(pack, self)
        width = copy.deepcopy(width)
        shape = narrowed(self, pack, width, self._seed if seed is None else seed)
        self._take(shape, width)
        maps = shape.maps
        if self.channels is not None:
            maps = compose(maps, self.channels.maps)
        self.channels = Channels(maps, shape.claimed)

    def freeze(self) -> PackedTask:
        """Makes the task a part of the pack, for ever; the learner has done its work.

        Raises:
            PackingError: where the pack changed meanwhile so that the task no longer fits in (its
                name or weights were taken, a task that it sees is gone, the pack got another
                width), the learner was cast to another type, its stem is no longer the base's
                (something has changed a norm there), or it holds what a pack cannot: hooks, other
                layers than its network's, values that are not finite; the pack is then as it was.
        """
        self._refuse_frozen()
        with torch.inference_mode(False):  # or the pack could never be changed again outside it
            task = self._pack[0].adopt(self, self._widest[0])
        self._frozen = True
        return task

    def private(self) -> dict[str, Tensor]:
        """Copies of the biases, norms and slopes of the network, on the processor."""
        state = self.backbone.state_dict()
        return {key: state[key].detach().cpu().clone() for key in self._pack[0].layout.private}

    def own_private(self) -> dict[str, Tensor]:
        """The biases, norms and slopes that the task does not share with the base.

        Raises:
            PackingError: where one that is the base's (in its stem, or all of them with the base's
                norms) is no longer so; names it.
        """
        pack = self._pack[0]
        private = self.private()
        if pack.base is None:
            return private
        base, borrowed = pack.tasks[pack.base].private, self._borrowed()
        in_stem = frozenset() if self.split is None else self.split.keys(private)
        own = {}
        for key, value in private.items():
            if key in borrowed and torch.equal(value, base[key]):
                continue
            # Channels that were added have norms of their own, on the base's norms, too.
            if key in in_stem or (key in borrowed and value.shape == base[key].shape):
                raise PackingError(
                    f"{key!r} of task {self.name!r} is no longer the base's, whose norms it uses "
                    f"{'in its stem' if key in in_stem else 'throughout'}; keep what changes "
                    "norms (swa_utils.update_bn, say) from them, and learn the task again"
                )
            own[key] = value
        return own

    def train(self, mode: bool = True) -> Learner:
        super().train(mode)
        self._hold_base()
        return self

    def _refuse_frozen(self) -> None:
        if self._frozen:
            raise PackingError(
                f"task {self.name!r} is frozen; what it computes never changes (learn a new task)"
            )

    def _borrowed(self) -> frozenset[str]:
        """The keys of norms, biases and slopes that are the base's."""
        private = self._pack[0].layout.private
        if self.norms == "base":
            return frozenset(private)
        return frozenset() if self.split is None else self.split.keys(private)

    def _hold_base(self) -> None:
        """Keeps what the network has of the base as the base has it."""
        borrowed = self._borrowed()
        for name, parameter in self.backbone.named_parameters():
            if name in borrowed:
                parameter.requires_grad_(False)
        for name, module in self.backbone.named_modules():
            if isinstance(module, PRIVATE) and any(key.startswith(f"{name}.") for key in borrowed):
                module.eval()
        if self.split is not None:
            owned = self.owned()
            # Nothing there to train: no gradient needs to get so far.
            for layer in self.split.layers:
                owned[layer][0].requires_grad_(False)

    def _take(self, shape: Reshaped, width: Width) -> None:
        """Goes on with the network at another width."""
        device = next(self.backbone.parameters()).device
        self.backbone = shape.backbone.to(device).train(self.training)
        self.width, self.skeleton, self.claimed = width, [shape.skeleton], shape.claimed
        self._hold_base()


class _Rest(nn.Module):
    """What a learner computes after its stem."""

    def __init__(self, learner: Learner, rest: fx.GraphModule) -> None:
        super().__init__()
        self._learner = [learner]  # in a list: it holds this module's tensors already
        self.rest, self.head = rest, learner.head
        self._alters = alters(rest)

    def forward(self, x: Tensor) -> Tensor:
        if self._alters:  # what was kept is wanted again
            x = x.clone()
        output: Tensor = self.head(self.rest(x))
        return output

    def train(self, mode: bool = True) -> _Rest:
        super().train(mode)
        self._learner[0]._hold_base()
        return self


def _see_again(learner: nn.Module, _: Any) -> None:
    """Once a state with other channels is loaded: what is seen and can be owned lies in these."""
    assert isinstance(learner, Learner)
    if learner.channels is None:
        return
    learner.claimed = learner.channels.claimed
    pack, maps = learner._pack[0], learner.channels.maps
    stem = None if learner.split is None else learner.split.stem
    for name, (_, weight) in learner.owned().items():
        seen = pack.visible(name, pack.seen_slots(name, learner.sees, stem))
        weight.fixed.copy_(maps[name].narrow(seen))
