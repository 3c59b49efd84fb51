"""A pack: one tensor of weights per layer, shared out among tasks that never change."""

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from paenet.errors import suggest
from paenet.packing.adoption import merge, refuse_unfit
from paenet.packing.assembling import assemble
from paenet.packing.errors import PackingError
from paenet.packing.fingerprint import fingerprint_of
from paenet.packing.given import given_state
from paenet.packing.layout import Layout, join, layout_of, refuse_hooked
from paenet.packing.learner import Learner
from paenet.packing.methods import Claims
from paenet.packing.parts import (
    FREE,
    MOST_TASKS,
    PackedLayer,
    PackedTask,
    PackWidth,
    given_width,
    owned_by,
)
from paenet.packing.picking import leave_out, picked_by
from paenet.packing.shrinking import shrink
from paenet.packing.stems import (
    Split,
    Stem,
    Traced,
    refuse_other_stem,
    refuse_unknown,
    splits,
    work_of,
)
from paenet.packing.widening import Builder, compose, skeleton_of

Norms = Literal["own", "base"]


class Pack:
    """Tasks in one network, added one by one.

    Args:
        backbone: a module made of convolutions, linear layers, norms, PReLU and stateless
            operations; or a function of the width that builds one, where tasks should be able to
            widen it. The pack starts with every weight free and holding this network's values.
        example: a batch of one input, needed for widening and for stems.
        weights: a state dict for the backbone at width 1, where the builder does not load its own.

    Raises:
        PackingError: where a layer cannot be packed; names the layer and the reason.
    """

    def __init__(
        self,
        backbone: nn.Module | Builder,
        *,
        example: Tensor | None = None,
        weights: Mapping[str, Tensor] | None = None,
    ) -> None:
        self.builder: Builder | None = None if isinstance(backbone, nn.Module) else backbone
        network = backbone if isinstance(backbone, nn.Module) else backbone(1.0)
        if not isinstance(network, nn.Module):
            raise PackingError(
                f"the builder returned a {type(network).__name__}; it must return a torch module"
            )
        self.layout: Layout = layout_of(network)
        self.example = None if example is None else example[:1].detach().to("meta")
        state = given_state(network, weights)
        self._given = {key: state[key].detach().cpu().clone() for key in self.layout.private}
        self.layers: dict[str, PackedLayer] = {}
        for name in self.layout.packed:
            theta = state[join(name, "weight")].detach().cpu().clone().contiguous()
            self.layers[name] = PackedLayer(theta, torch.zeros_like(theta, dtype=torch.uint8))
        self.widths = [PackWidth(1.0, skeleton_of(network))]
        self.tasks: dict[str, PackedTask] = {}
        self.untouched = True

    @classmethod
    def restored(
        cls,
        builder: Builder | None,
        *,
        layers: dict[str, PackedLayer],
        widths: list[PackWidth],
        tasks: dict[str, PackedTask],
        example: Tensor | None = None,
    ) -> "Pack":
        """A pack from parts that one had before, such as a file keeps; they are not checked."""
        pack = cls.__new__(cls)
        pack.builder, pack.example = builder, example
        pack.layout = layout_of(widths[-1].skeleton)
        pack._given = {}
        pack.layers, pack.widths, pack.tasks = layers, widths, tasks
        pack.untouched = False
        return pack

    @property
    def base(self) -> str | None:
        """The first task's name: what `sees="base"` and `norms="base"` mean; None when empty."""
        return next(iter(self.tasks), None)

    @property
    def given_width(self) -> int:
        """Index into `widths` of the given network's: 1; the base's where none of them is 1."""
        base = 0 if self.base is None else self.tasks[self.base].width
        return given_width([width.width for width in self.widths], base)

    def learn(
        self,
        name: str,
        *,
        head: nn.Module,
        sees: Literal["base", "all", "none"] | Sequence[str] = "base",
        norms: Norms = "own",
        claims: Claims = "free",
        stem: str | None = None,
        picks: bool = False,
        seed: int = 0,
    ) -> Learner:
        """A network that learns task `name` in the free weights; the pack changes at `freeze`.

        Args:
            name: the new task, of printable characters.
            head: what follows the backbone, without hooks; the learner trains it.
            sees: the older weights in use, fixed: those of the first task, of all, of none, or of
                the tasks named.
            norms: whether the task has norms, biases and slopes of its own (starting as copies of
                the base's; where it sees no one, as the backbone initialises them) or uses the
                base's.
            claims: which weights it may train: every free one, only those that widening adds, or
                none. The first task, which stands on nothing, claims them all whatever it is.
            stem: one of `splits()`: up to there the task computes what the base does, with the
                base's weights and norms, and owns nothing. None lets it own weights anywhere.
            picks: whether the task learns which of the weights that it sees it uses, by a score for
                each (`scores_of`); all of them at first. In its stem, and where it sees no one,
                there is nothing to pick.
            seed: of the fresh values, where weights start from the backbone's initialisation.

        Raises:
            PackingError: where the name is none or taken, the pack full, a seen task unknown, the
                stem not the base's, the head hooked, or another argument none of those above.
        """
        if not isinstance(name, str) or not name or not name.isprintable():
            raise PackingError(f"task {name!r}: give a name of printable characters")
        if name in self.tasks:
            raise PackingError(
                f"task {name!r} is in the pack already; remove it, or choose another name"
            )
        self.free_slot()  # refuses where there is none
        if norms not in get_args(Norms):
            raise PackingError(f"norms={norms!r}: give own or base")
        if claims not in get_args(Claims):
            raise PackingError(f"claims={claims!r}: give free, new or none")
        if not isinstance(head, nn.Module):
            raise PackingError(f"head={head!r}: give a torch module (Identity() for none)")
        refuse_hooked(head)
        if norms == "base" and self.base is None:
            raise PackingError("norms='base' needs a base; the first task has norms of its own")
        seen = self._seen(sees)
        if self.base is None:
            claims = "free"
        split, picks = self._split(stem, seen), picks and bool(seen)
        return Learner(self, name, head, seen, norms, claims, split, picks, seed)

    def splits(self) -> dict[str, Split]:
        """Where the pack's network can be split, by name, from input to output.

        Raises:
            PackingError: where the pack has no example input, or the network cannot be traced.
        """
        if self.example is None:
            raise PackingError(
                "stems need an example input: Pack(backbone, example=torch.zeros(1, 3, 160, 160))"
            )
        return splits(self.widths[-1].skeleton, self.example)

    def stems(self) -> dict[str, Split]:
        """Those of `splits` up to which a new task can compute what the base does.

        Once the network was widened, they end before the first layer that has grown.

        Raises:
            PackingError: where the pack has no task, and as `splits`.
        """
        if self.base is None:
            raise PackingError("the pack has no task yet: a stem is a part of the first one's")
        base = self.widths[self.tasks[self.base].width].skeleton
        found = {}
        for name, split in self.splits().items():
            try:
                refuse_other_stem(split, base, self.widths[-1].skeleton)
            except PackingError:
                break
            found[name] = split
        return found

    def remove(self, name: str) -> None:
        """Frees a task's weights, and takes away channels that were added for it alone.

        Raises:
            PackingError: where the task is unknown, or another one uses it.
        """
        task = self._task(name)
        users = [t.name for t in self.tasks.values() if name in t.sees or self.borrows(t, name)]
        if users:
            raise PackingError(f"task {name!r} is in use by {', '.join(users)}; remove these first")
        for layer in self.layers.values():
            mine = layer.owner == task.slot
            layer.theta[mine] = 0
            layer.owner[mine] = FREE
        del self.tasks[name]
        shrink(self)

    def materialize(self, name: str) -> nn.Sequential:
        """Task `name` as a plain network, in evaluation mode: `backbone`, then `head`.

        Its parameters are ordinary ones and share nothing with the pack.
        """
        task = self._task(name)
        at = self.widths[task.width]
        state = self.private_of(task)
        for layer in self.layers:
            weight = self.visible(layer, [task.slot, *self.seen_slots(layer, task.sees, task.stem)])
            state[join(layer, "weight")] = leave_out(self, task, layer, at.narrow(layer, weight))
        return assemble(at.skeleton, state, task.head)

    def fingerprint(self, name: str) -> str:
        """SHA-256 of the task's network: the same for ever once it is frozen."""
        return fingerprint_of(self.materialize(name))

    def weights(self, name: str | None = None) -> int:
        """How many packed weights a task owns; without a name, how many there are."""
        if name is None:
            return sum(layer.theta.numel() for layer in self.layers.values())
        slot = self._task(name).slot
        return sum(int((layer.owner == slot).sum()) for layer in self.layers.values())

    def own_work(self, name: str) -> float:
        """What task `name` computes by itself: its multiplications by those of the given network.

        The given network is that at width 1. 1 where none can be counted; see `multiplications`.

        Raises:
            PackingError: where the pack has no example input, or a network cannot be traced.
        """
        task = self._task(name)
        given = self.given_width
        if task.stem is None and task.width == given:
            return 1.0
        if self.example is None:
            raise PackingError("work is counted on an example input: Pack(…, example=images[:1])")
        dense = Traced(self.widths[given].skeleton, self.example)
        at = dense
        if task.width != given:
            at = Traced(self.widths[task.width].skeleton, self.example)
        own = at.segments([] if task.stem is None else [task.stem.name])[-1]
        whole = work_of(*dense.segments([]))
        return work_of(own) / whole if whole else 1.0

    def visible(self, layer: str, slots: Iterable[int]) -> Tensor:
        """A layer's weights at the widest width, zero where none of `slots` owns them."""
        theta = self.layers[layer].theta
        mask = self.owned_by(layer, slots)
        return torch.where(mask, theta, theta.new_zeros(()))

    def owned_by(self, layer: str, slots: Iterable[int]) -> Tensor:
        """Bool, at the widest width: which weights of a layer one of `slots` owns."""
        return owned_by(self.layers[layer].owner, slots)

    def seen_slots(self, layer: str, sees: Iterable[str], stem: Stem | None) -> list[int]:
        """Whose weights a task sees in a layer: in its stem the base's, else those of `sees`."""
        names = [self.base] if stem is not None and layer in stem.layers else sees
        return [self.tasks[name].slot for name in names if name is not None]

    def given(self) -> dict[str, Tensor]:
        """The given network's state.

        Raises:
            PackingError: where a task has been frozen: free weights are zero from then on.
        """
        if not self.untouched:
            raise PackingError(
                "the given network is no longer in the pack; keep `pack.given()`, or the network's "
                "own state, from before the first task is frozen"
            )
        weights = {join(name, "weight"): layer.theta for name, layer in self.layers.items()}
        return {key: tensor.clone() for key, tensor in {**weights, **self._given}.items()}

    def private_of(self, task: PackedTask) -> dict[str, Tensor]:
        """Copies of the biases, norms and slopes that `task` computes with, at its width."""
        state = dict(task.private)
        if self.base is not None and task.name != self.base:
            base = self.tasks[self.base].private
            state = {key: state.get(key, base[key]) for key in self.layout.private}
        return {key: tensor.clone() for key, tensor in state.items()}

    def borrows(self, task: PackedTask, name: str) -> bool:
        """Whether `task` computes with private tensors of task `name`."""
        if name != self.base or task.name == name:
            return False
        return any(key not in task.private for key in self.layout.private)

    def free_slot(self) -> int:
        """The lowest number that no task has.

        Raises:
            PackingError: where the pack is full.
        """
        taken = {task.slot for task in self.tasks.values()}
        if len(taken) >= MOST_TASKS:
            raise PackingError(f"the pack holds {MOST_TASKS} tasks, the most that it can")
        return min(set(range(1, MOST_TASKS + 1)) - taken)

    def adopt(self, learner: Learner, widest: nn.Module) -> PackedTask:
        """Takes what a learner has learnt; called by `Learner.freeze`.

        All is checked before anything changes.

        Args:
            learner: of this pack.
            widest: the pack's widest network when the learner started.

        Raises:
            PackingError: where the pack changed meanwhile so that the task does not fit in, or
                the learner holds what a pack cannot: hooks, other layers than its network's, values
                that are not finite.
        """
        refuse_unfit(self, learner, widest)
        slot = self.free_slot()
        layers = {name: merge(self, learner, name, slot) for name in self.layers}
        task = PackedTask(
            learner.name,
            slot,
            learner.sees,
            width=len(self.widths) - 1,
            private=learner.own_private(),
            head=copy.deepcopy(learner.head).cpu().requires_grad_(True).eval(),
            stem=None if learner.split is None else learner.split.stem,
            picked=picked_by(learner, self),
        )
        for name, layer in self.layers.items():
            layer.theta, layer.owner = layers[name]
        if learner.maps is not None:
            for old in self.widths:
                old.maps = learner.maps if old.maps is None else compose(old.maps, learner.maps)
            self.widths.append(PackWidth(learner.width, learner.skeleton[0]))
            task.width += 1
        elif learner.channels is not None:
            self.insert(PackWidth(learner.width, learner.skeleton[0], learner.channels.maps))
        self.tasks[task.name] = task
        self.untouched = False
        task.fingerprint = self.fingerprint(task.name)
        return task

    def insert(self, width: PackWidth) -> int:
        """Takes a narrower width in, before the widest; returns its index."""
        last = len(self.widths) - 1
        for task in self.tasks.values():
            task.width += task.width == last
        self.widths.insert(last, width)
        return last

    def _seen(self, sees: str | Sequence[str]) -> tuple[str, ...]:
        if not isinstance(sees, str):
            asked = list(sees)
            for name in asked:
                self._task(name)
            return tuple(name for name in self.tasks if name in asked)
        if sees not in ("base", "all", "none"):
            raise PackingError(f"sees={sees!r}: give base, all, none, or a list of task names")
        names = tuple(self.tasks)
        return {"base": names[:1], "all": names, "none": ()}[sees]

    def _split(self, name: str | None, seen: tuple[str, ...]) -> Split | None:
        """Where a stem ends, if a task that sees `seen` can have it."""
        if name is None:
            return None
        if self.base is None or self.base not in seen:
            raise PackingError(f"stem={name!r}: a stem is the base's, which the task must see")
        found = self.splits()
        refuse_unknown(found, name)
        split = found[name]
        base = self.widths[self.tasks[self.base].width]
        refuse_other_stem(split, base.skeleton, self.widths[-1].skeleton)
        return split

    def _task(self, name: str) -> PackedTask:
        try:
            return self.tasks[name]
        except KeyError:
            raise PackingError(f"no task {name!r} in the pack{suggest(name, self.tasks)}") from None
