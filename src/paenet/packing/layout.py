"""Which tensors of a network are packed, and which every task keeps for itself."""

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn.utils import parametrize

from paenet.packing.errors import PackingError

PACKABLE = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)
PRIVATE = (
    nn.modules.batchnorm._NormBase,  # every batch and instance norm
    nn.GroupNorm,
    nn.LayerNorm,
    nn.PReLU,
)


@dataclass(frozen=True, slots=True)
class Layout:
    """The tensors of a backbone by who holds them.

    Attributes:
        packed: names of the layers whose `weight` is shared out among tasks, in network order.
        private: state-dict keys of which every task has its own: biases, norms, PReLU slopes.
    """

    packed: tuple[str, ...]
    private: tuple[str, ...]


def layout_of(backbone: nn.Module) -> Layout:
    """Sorts the tensors of `backbone`.

    Raises:
        PackingError: where a layer cannot be packed; names the layer and the reason.
    """
    _refuse_sharing(backbone)
    packed: list[str] = []
    private: list[str] = []
    for name, module in backbone.named_modules():
        if parametrize.is_parametrized(module):
            raise PackingError(
                f"layer {_called(name)} is parametrised already; remove the parametrisation "
                "(torch.nn.utils.parametrize.remove_parametrizations) before packing"
            )
        _refuse_hooks(f"layer {_called(name)}", module)
        tensors = [*_direct(module._parameters), *_direct(module._buffers)]
        if not tensors:
            continue
        if isinstance(module, PACKABLE):
            if set(tensors) - {"weight", "bias"}:
                raise _unpackable(name, module, f"holds {sorted(set(tensors))}")
            packed.append(name)
            private += [join(name, t) for t in tensors if t != "weight"]
        elif isinstance(module, PRIVATE):
            if module._non_persistent_buffers_set:
                unsaved = sorted(module._non_persistent_buffers_set)
                raise _unpackable(name, module, f"does not save all its buffers ({unsaved[0]})")
            private += [join(name, t) for t in tensors]
        else:
            raise _unpackable(name, module, f"has tensors of its own ({', '.join(tensors)})")
    if not packed:
        raise PackingError(
            "the backbone has no layer to pack; it needs at least one Conv1d/2d/3d or Linear"
        )
    return Layout(tuple(packed), tuple(private))


def _refuse_sharing(backbone: nn.Module) -> None:
    seen: dict[int, str] = {}
    for name, parameter in backbone.named_parameters(remove_duplicate=False):
        if nn.parameter.is_lazy(parameter):
            raise PackingError(
                f"parameter {name!r} has no shape yet; run the backbone once before packing"
            )
        if not parameter.dtype.is_floating_point:
            raise PackingError(f"parameter {name!r} is {parameter.dtype}; weights must be floats")
        _refuse_second(seen, name, parameter)
    for name, buffer in backbone.named_buffers(remove_duplicate=False):
        _refuse_second(seen, name, buffer)


def _refuse_second(seen: dict[int, str], name: str, tensor: Tensor) -> None:
    first = seen.setdefault(id(tensor), name)
    if first != name:
        raise PackingError(
            f"{first!r} and {name!r} are one tensor; a weight used in two places has no single "
            "owner: give each layer its own"
        )


def refuse_hooked(head: nn.Module) -> None:
    """Refuses a head with hooks.

    Raises:
        PackingError: where one of its layers has any; names the layer.
    """
    for name, module in head.named_modules():
        # A layer without a shape so far finds it by a hook, which it removes.
        if not any(map(nn.parameter.is_lazy, module.parameters(recurse=False))):
            _refuse_hooks(f"the head's layer {name!r}" if name else "the head", module)


def refuse_hooked_layers(backbone: nn.Module) -> None:
    """Refuses a learner's backbone that was given hooks.

    Raises:
        PackingError: names the layer.
    """
    for name, module in backbone.named_modules():
        _refuse_hooks(f"layer {_called(name)}", module)


def _refuse_hooks(called: str, module: nn.Module) -> None:
    # A task's network is rebuilt from its tensors alone; a hook's part in it would be lost.
    if any((module._forward_hooks, module._forward_pre_hooks, module._backward_hooks)):
        raise PackingError(
            f"{called} has hooks, which a pack cannot keep; remove them before packing"
        )


def _direct(tensors: dict[str, object]) -> list[str]:
    return [name for name, tensor in tensors.items() if tensor is not None]


def join(layer: str, tensor: str) -> str:
    """The state-dict key of a layer's tensor."""
    return f"{layer}.{tensor}" if layer else tensor


def _unpackable(name: str, module: nn.Module, reason: str) -> PackingError:
    return PackingError(
        f"layer {_called(name)} ({type(module).__name__}) cannot be packed: "
        f"it {reason}; packable are Conv1d/2d/3d, Linear, batch, instance, group and layer norm, "
        "PReLU, and modules without tensors"
    )


def _called(name: str) -> str:
    return repr(name) if name else "(the backbone itself)"
