"""How a pack takes in what was learnt, and when it must not: it may have changed meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from paenet.packing.errors import PackingError
from paenet.packing.layout import join, refuse_hooked, refuse_hooked_layers

if TYPE_CHECKING:
    from paenet.packing.learner import Learner
    from paenet.packing.owned import OwnedWeight
    from paenet.packing.pack import Pack


def refuse_unfit(pack: Pack, learner: Learner, widest: nn.Module) -> None:
    """Refuses a learner that cannot become a part of its pack as it is.

    Args:
        widest: the pack's widest network when the learner started.

    Raises:
        PackingError: where the pack changed meanwhile, or the learner holds what a pack cannot.
    """
    _refuse_stale(pack, learner, widest)
    _refuse_rebuilt(learner)
    refuse_cast(pack, learner)
    refuse_hooked(learner.head)
    refuse_hooked_layers(learner.backbone)
    _refuse_not_finite(learner)


def _refuse_stale(pack: Pack, learner: Learner, widest: nn.Module) -> None:
    """Refuses a learner that started from another state of the pack than its own place needs.

    Args:
        pack: the learner's pack.
        learner: the task to take in.
        widest: the pack's widest network when the learner started.

    Raises:
        PackingError: where its name was taken, the pack got another width, or a task that it sees
            was removed.
    """
    name = learner.name
    if name in pack.tasks:
        raise PackingError(f"task {name!r} was added meanwhile; choose another name")
    if pack.widths[-1].skeleton is not widest:
        raise PackingError(
            f"the pack got another width while {name!r} was learnt; learn it again from the pack"
        )
    for seen in learner.sees:
        if seen not in pack.tasks:
            raise PackingError(
                f"task {seen!r}, which {name!r} sees, was removed while it was learnt; "
                "learn it again from the pack"
            )


def refuse_cast(pack: Pack, learner: Learner) -> None:
    """Refuses a learner of another type than the pack: its values would be rounded.

    Raises:
        PackingError: with both types.
    """
    for name, (theta, _) in learner.owned().items():
        held = pack.layers[name].theta.dtype
        if theta.dtype != held:
            # What it sees was rounded with it, and casting back does not bring that again.
            rounded = torch.promote_types(theta.dtype, held) != theta.dtype
            mend = "learn it again" if rounded and pack.base is not None else "cast it back"
            raise PackingError(
                f"layer {name!r}: the learner was cast to {theta.dtype}, the pack holds {held}; "
                f"{mend} (torch.autocast trains in mixed precision)"
            )


def _refuse_rebuilt(learner: Learner) -> None:
    """Refuses a learner whose backbone has other modules than its network: they would be lost.

    Raises:
        PackingError: names the module.
    """
    own, built = (
        {
            name: module
            for name, module in network.named_modules()
            if "parametrizations" not in name.split(".")
        }
        for network in (learner.backbone, learner.skeleton[0])
    )
    for name in {**built, **own}:
        mine, its = own.get(name), built.get(name)
        kinds = [parametrize.type_before_parametrizations(m) for m in (mine, its) if m is not None]
        synchronised = kinds and issubclass(kinds[0], nn.SyncBatchNorm)  # over processes
        if mine is None or its is None or (len(set(kinds)) > 1 and not synchronised):
            found = "is gone" if mine is None else f"is {type(mine).__name__} now"
            raise PackingError(
                f"module {name!r} of the backbone {found}, and a pack would not know; change the "
                "network that the pack is made of"
            )
        if sum(map(len, getattr(mine, "parametrizations", {}).values())) > 1:
            raise PackingError(
                f"layer {name!r} has parametrisations besides the pack's, which it cannot keep; "
                "remove them (torch.nn.utils.parametrize) before packing"
            )


@torch.no_grad()
def _refuse_not_finite(learner: Learner) -> None:
    """Refuses a learner that has diverged: no file could hold its values.

    Raises:
        PackingError: names the tensor.
    """
    tensors: list[tuple[str, Tensor]] = []
    for name, (theta, owned) in learner.owned().items():
        called = join(f"backbone.{name}", "weight")
        # A codebook makes a number of NaN, and float16 infinity of what is finite.
        tensors += [(called, theta[owned.trainable]), (called, _stored(theta, owned))]
    tensors += ((f"backbone.{name}", tensor) for name, tensor in learner.own_private().items())
    tensors += ((f"head.{name}", tensor) for name, tensor in learner.head.state_dict().items())
    for name, tensor in tensors:
        if nn.parameter.is_lazy(tensor):
            raise PackingError(f"task {learner.name!r}: {name} has no shape yet; run the learner")
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            raise PackingError(
                f"task {learner.name!r}: {name} holds values that are not finite; go back to a "
                "state before they were, and lower the learning rate"
            )


def _stored(theta: Tensor, owned: OwnedWeight) -> Tensor:
    """`(n,)` the values that a task takes into a layer, in the order of their places."""
    owned.mask_anew()
    weight: Tensor = owned(theta)
    return weight.detach()[owned.trainable]


def merge(pack: Pack, learner: Learner, name: str, slot: int) -> tuple[Tensor, Tensor]:
    """Layer `name` as it is once the learner's weights lie in `slot`.

    Returns:
        Theta and owners of the pack's widest network with the learner in it; the pack is left as
        it is.

    Raises:
        PackingError: where another task owns one of the weights, or what the learner sees is no
            longer what it saw.
    """
    theta, owned = learner.owned()[name]
    layer = pack.layers[name]
    values, owner = layer.theta.clone(), layer.owner.clone()
    stem = None if learner.split is None else learner.split.stem
    seen = pack.visible(name, pack.seen_slots(name, learner.sees, stem))
    if learner.maps is not None:
        grown = learner.maps[name]
        values, owner, seen = (
            grown.place(tensor, tensor.new_zeros(theta.shape)) for tensor in (values, owner, seen)
        )
    # Where the learner's weights lie: all of them, or those of the channels that it kept.
    places = torch.arange(values.numel(), device="cpu").view(values.shape)
    if learner.channels is not None:
        places = learner.channels.maps[name].narrow(places)
        seen = learner.channels.maps[name].narrow(seen)
    trainable = owned.trainable.cpu()
    mine = places[trainable]
    if bool(owner.view(-1)[mine].any()):
        raise PackingError(
            f"layer {name!r}: weights that {learner.name!r} learnt were taken by another task "
            "meanwhile; learn one task after the other"
        )
    if not torch.equal(owned.fixed.cpu(), seen):
        raise PackingError(
            f"layer {name!r}: what {learner.name!r} sees changed while it was learnt; learn it "
            "again from the pack"
        )
    values.view(-1)[mine] = _stored(theta, owned).cpu()
    owner.view(-1)[mine] = slot
    values[owner == 0] = 0
    return values, owner
