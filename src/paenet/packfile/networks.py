"""The networks that a file names, built without running any code that the file could choose."""

from collections.abc import Callable

import torch
from torch import nn

from paenet import backbones
from paenet.errors import PaenetError, first_line, suggest
from paenet.packfile.errors import CodeNeededError, PackFileError
from paenet.packfile.schema import BackboneSpec
from paenet.packing.layout import layout_of
from paenet.packing.parts import PackWidth
from paenet.packing.widening import Builder, Width, skeleton_of


def builder_of(spec: BackboneSpec) -> Builder:
    """The builder of a backbone that comes with paenet.

    Raises:
        CodeNeededError: where the file names anything else. A name `module:callable` is never
            imported: a file must not say which code runs.
    """
    if spec.name not in backbones.BACKBONES:
        if ":" not in spec.name:
            known = suggest(spec.name, backbones.BACKBONES)
            raise PackFileError(f"its backbone {spec.name!r} does not exist{known}")
        raise CodeNeededError(
            f"its backbone is {spec.name!r}, code that a file may not run by itself; hand it over: "
            "read(path, backbone=...), or --backbone on the command line"
        )

    def build(width: Width) -> nn.Module:
        return backbones.create(spec.name, width=width, **spec.arguments)

    return build


def skeletons(
    spec: BackboneSpec, widths: list[Width], backbone: nn.Module | Builder | None, most: int
) -> list[PackWidth]:
    """The network at each width, without values.

    Args:
        spec: what the file says.
        widths: the last is the widest.
        backbone: the caller's own, instead of what the file says.
        most: bytes that the tensors of a network may take. A file chooses the widths, and a width
            can make any network too large to build.

    Raises:
        PackFileError: where it cannot be built, is too large, or is not one network at several
            widths.
    """
    if isinstance(backbone, nn.Module):
        if len(widths) > 1:
            raise PackFileError(
                f"its tasks have {len(widths)} widths, and a module has one; "
                "hand over a function of the width: read(path, backbone=...)"
            )
        built = [PackWidth(widths[0], skeleton_of(backbone))]
    elif backbone is None:
        built = [_built(builder_of(spec), width, _without_values) for width in widths]
    else:
        for width in widths:
            _refuse_large(backbone, width, most)
        built = [_built(backbone, width, _with_values) for width in widths]
    layouts = [layout_of(at.skeleton) for at in built]
    for at, layout in zip(built, layouts, strict=True):
        if layout != layouts[0]:
            raise PackFileError(
                f"the backbone at width {at.width} has other layers than at {widths[0]}; "
                "a width may change channel counts only"
            )
    return built


def _built(
    builder: Builder, width: Width, make: Callable[[Builder, Width], nn.Module]
) -> PackWidth:
    try:
        return PackWidth(width, make(builder, width))
    except PaenetError:
        raise
    except Exception as error:  # whatever a builder raises on arguments that are not for it
        reason = first_line(error)
        raise PackFileError(
            f"the backbone cannot be built at width {width} ({reason}); "
            "give the file's own builder, a function of the width, or the module itself"
        ) from error


def _refuse_large(builder: Builder, width: Width, most: int) -> None:
    """Refuses a network that takes more than may be, before it is built."""
    try:
        network = _without_values(builder, width)
    except Exception:  # it wants values; what is wrong with it shows when it has them
        return
    size = sum(t.numel() * t.element_size() for t in network.state_dict().values())
    if size > most:
        raise PackFileError(
            f"the backbone at width {width} takes {size:,} bytes, more than the file can hold; "
            "make the file again"
        )


def _without_values(builder: Builder, width: Width) -> nn.Module:
    """Backbones of ours may be built without a device: nothing is drawn, nothing allocated."""
    with torch.device("meta"):
        return builder(width)


def _with_values(builder: Builder, width: Width) -> nn.Module:
    """Other code may keep tensors that the state dict does not have, so that it needs values."""
    with torch.random.fork_rng(devices=[]):
        return skeleton_of(builder(width))
