"""A file made to harm, with a digest that is right, is read or refused in one line."""

import copy
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from paenet.packfile import PackFileError, PackFileWarning, check, container, describe, read
from tests.packfile.files import grown, saved
from tests.packing.networks import batch_norm

VALUES = [None, True, 0, -1, 2**31, 2**64, 10**30, 0.5, 1e308, "", "base", "\x1b[2J\n", "\ud800"]
VALUES += [[], {}, [[]], {"": {}}, ["base"], {"type": "Identity"}, {"type": "Sequential"}]
NAMES = ["theta.x", "owner.x", "head.1.x", "", "inputs.0.0x", "private.1.0.bias.", "theta.\n"]
TYPES = [torch.float64, torch.int64, torch.uint8, torch.bool, torch.complex64, torch.float8_e5m2]

Place = tuple[Any, ...]


def places(value: object, here: Place = ()) -> Iterator[Place]:
    """Every place in a JSON value but the whole."""
    items = enumerate(value) if isinstance(value, list) else ()
    for key, inner in value.items() if isinstance(value, dict) else items:
        yield (*here, key)
        yield from places(inner, (*here, key))


@st.composite
def damaged(draw: st.DrawFn, document: dict[str, Any], tensors: dict[str, Tensor]) -> Any:
    document, tensors = copy.deepcopy(document), dict(tensors)
    if draw(st.booleans()):
        *before, last = draw(st.sampled_from(list(places(document))))
        target: Any = document
        for key in before:
            target = target[key]
        if draw(st.booleans()):
            target[last] = copy.deepcopy(draw(st.sampled_from(VALUES)))
        else:
            del target[last]
    else:
        name = draw(st.sampled_from(sorted(tensors)))
        tensor = tensors.pop(name)
        change = draw(st.sampled_from(["drop", "name", "type", "cut", "grow", "value"]))
        if change == "name":
            tensors[draw(st.sampled_from(NAMES))] = tensor
        elif change == "type":
            tensors[name] = tensor.to(draw(st.sampled_from(TYPES)))
        elif change == "cut":
            tensors[name] = tensor.reshape(-1)[: draw(st.integers(0, 3))].clone()
        elif change == "grow":
            tensors[name] = tensor[None].clone()
        elif change == "value":
            tensors[name] = tensor.clone()
            tensors[name].view(-1)[0] = draw(st.integers(0, 255))
    return document, tensors


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    return saved(grown()[0], tmp_path_factory.mktemp("hostile"))


@given(data=st.data())
@settings(max_examples=80)
def test_any_damage_is_read_or_refused_in_one_line(original: Path, data: st.DataObject) -> None:
    document, tensors = container.decode(original.read_bytes())
    del document["sha256"]
    document, tensors = data.draw(damaged(document, tensors))
    path = original.with_name("damaged.pae")
    container.save(path, document, tensors)
    for function in (describe, read_it, check_it):
        message = refusal(function, path)
        assert message is None or message.startswith(f"{path}: ")
        assert message is None or message.isprintable()


def read_it(path: Path) -> None:
    read(path, backbone=batch_norm)


def check_it(path: Path) -> None:
    check(path, backbone=batch_norm)


def refusal(function: Callable[[Path], object], path: Path) -> str | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PackFileWarning)
        try:
            function(path)
        except PackFileError as error:
            return str(error)
    return None
