"""Backbones by name, and a user's own by `module:callable`."""

import importlib
import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import nn

from paenet.backbones import inception_resnet, levi_hassner, lmtcnn, small, vgg
from paenet.backbones.entry import BackboneInfo
from paenet.backbones.errors import BackboneError
from paenet.backbones.width import Width
from paenet.errors import first_line, suggest

BACKBONES: dict[str, BackboneInfo] = {
    entry.name: entry
    for entry in (
        inception_resnet.INFO,
        vgg.INFO,
        levi_hassner.INFO,
        lmtcnn.INFO,
        small.INFO,
    )
}
"""Every backbone of ours; a new one is one more entry here."""

OWN_SIZE = 224  # side of the input of a user's own builder that says nothing


def names() -> list[str]:
    """The names of all backbones of the registry, sorted."""
    return sorted(BACKBONES)


def info(name: str) -> BackboneInfo:
    """What is known of a backbone.

    Args:
        name: one of `names()`; or `module:callable`, a builder of your own, or `module:object`
            with a `BackboneInfo` of your own. Modules are found as Python finds them, and in the
            current directory. **Importing a module runs it**: never pass a name that came with a
            file from somebody else; `name in BACKBONES` tells ours.

    Returns:
        The registry's or your entry. For a bare callable: size 224, pixels as FaceNet has them,
        features unknown.

    Raises:
        BackboneError: where there is no such backbone; offers the nearest name.
    """
    if name in BACKBONES:
        return BACKBONES[name]
    if ":" not in name:
        raise BackboneError(
            f"backbone {name!r} does not exist{suggest(name, BACKBONES)}; "
            "a builder of your own is named module:callable"
        )
    found = _imported(name)
    if isinstance(found, BackboneInfo):
        return found
    if not callable(found):
        raise BackboneError(
            f"backbone {name!r} is no builder but of type {type(found).__name__}; name a function "
            "of the width that returns a network, or a BackboneInfo"
        )
    return BackboneInfo(name, found, size=OWN_SIZE)


def create(name: str, /, *, width: Width = 1.0, **arguments: Any) -> nn.Module:
    """Builds a backbone, untrained: `create("inception-resnet-v1", embedding=128)`.

    Args:
        name: as `info` takes it, with the same warning.
        width: factor of the channels, or a factor per layer (`Width`); the output's size stays.
        arguments: the backbone's own, as its class documents them.

    Raises:
        BackboneError: where the name or an argument does not exist, or a value does not fit.
    """
    builder = info(name).builder
    _check_arguments(name, builder, {"width": width, **arguments})
    try:
        network = builder(width=width, **arguments)
    except BackboneError as error:
        raise BackboneError(f"backbone {name!r}: {error}") from None
    except Exception as error:
        raise BackboneError(
            f"backbone {name!r}: building it with {_call(arguments)} failed "
            f"({type(error).__name__}: {first_line(error)})"
        ) from error
    if not isinstance(network, nn.Module):
        raise BackboneError(
            f"backbone {name!r} returned something of type {type(network).__name__}; return a "
            "torch.nn.Module"
        )
    return network


def _imported(name: str) -> Any:
    module_name, _, path = name.partition(":")
    parts = [*module_name.split("."), *path.split(".")]
    if not all(part.isidentifier() for part in parts):
        raise BackboneError(
            f"backbone {name!r} is not module:callable; write it as in my_networks:resnet"
        )
    try:
        with _current_directory():
            found = importlib.import_module(module_name)
    except Exception as error:
        raise BackboneError(
            f"backbone {name!r}: importing {module_name!r} failed "
            f"({type(error).__name__}: {first_line(error)}); it is looked for where Python looks "
            f"for modules and in {Path.cwd()}"
        ) from error
    for part in path.split("."):
        if not hasattr(found, part):
            raise BackboneError(f"backbone {name!r}: {part!r} is missing{_builders(found, part)}")
        found = getattr(found, part)
    return found


def _builders(module: object, part: str) -> str:
    """The end of a message about a missing `part`: what may have been meant."""
    public = {name: getattr(module, name) for name in dir(module) if not name.startswith("_")}
    return suggest(part, [n for n, v in public.items() if callable(v) or type(v) is BackboneInfo])


@contextmanager
def _current_directory() -> Iterator[None]:
    """Modules in the current directory are found too, after all others."""
    here = str(Path.cwd())
    added = here not in sys.path
    if added:
        sys.path.append(here)
    try:
        yield
    finally:
        if added:
            sys.path.remove(here)


def _check_arguments(name: str, builder: Any, given: dict[str, Any]) -> None:
    try:
        parameters = inspect.signature(builder).parameters.values()
    except (TypeError, ValueError):  # some callables do not say what they take
        return
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return
    known = [p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    for key in given:
        if key not in known:
            hint = suggest(key, [other for other in known if other != "width"])
            hint = "; it must take the width" if key == "width" else hint
            raise BackboneError(f"backbone {name!r} has no argument {key!r}{hint}")
    for parameter in parameters:
        needed = parameter.name in known and parameter.default is parameter.empty
        if needed and parameter.name not in given:
            raise BackboneError(f"backbone {name!r} needs the argument {parameter.name!r}")


def _call(arguments: dict[str, Any]) -> str:
    return ", ".join(f"{key}={value!r}" for key, value in arguments.items()) or "its defaults"
