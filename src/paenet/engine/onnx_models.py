"""From a network to an ONNX model that says what it is."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from paenet.engine.errors import EngineError
from paenet.engine.sources import Sources
from paenet.errors import first_line

if TYPE_CHECKING:
    import onnx

INPUT = "images"  # the name of a model's input, unless a task is called so
NEEDED = ("onnx", "onnxscript", "onnxruntime")


def has_onnx() -> bool:
    """Whether the packages of the extra `onnx` are installed."""
    return not _missing()


def needs_onnx() -> None:
    """Raises EngineError where the packages of the extra `onnx` are not installed."""
    if missing := _missing():
        raise EngineError(
            f"ONNX models need {', '.join(missing)}; install the extra: pip install 'paenet[onnx]'"
        )


def _missing() -> list[str]:
    return [name for name in NEEDED if find_spec(name) is None]


def model_of(network: nn.Module, example: Tensor) -> onnx.ModelProto:
    """A network as a model of any batch, tensors of equal values stored once.

    Its input is called `INPUT`, its outputs anything; see `name_outputs`.

    Args:
        network: from images to a dictionary of answers.
        example: `(1, …)`.

    Raises:
        EngineError: where torch cannot export the network.
    """
    from onnx_ir import to_proto
    from onnx_ir.passes.common import DeduplicateInitializersPass

    batch = torch.export.Dim("batch", min=1)
    # Two: a batch of one would be taken for a constant.
    images = example.expand(2, *example.shape[1:]).contiguous()
    try:
        with _quiet():
            program = torch.onnx.export(
                network,
                (images,),
                dynamo=True,
                dynamic_shapes=({0: batch},),
                input_names=[INPUT],
                verbose=False,
            )
    except torch.onnx.OnnxExporterError as error:
        raise EngineError(
            f"torch cannot export the network ({first_line(error)}); a network whose way depends "
            "on its input has no ONNX model"
        ) from error
    assert program is not None
    DeduplicateInitializersPass(size_limit=2**40)(program.model)
    return to_proto(program.model)


def name_outputs(model: onnx.ModelProto, tasks: tuple[str, ...]) -> None:
    """Names a model's outputs after tasks; what else is called so gets another name.

    In ONNX all values have names of one kind, and the exporter calls inner ones `relu` or `mean`.

    Args:
        model: changed in place.
        tasks: in the order of the outputs.
    """
    outputs = [output.name for output in model.graph.output]
    renamed = dict(zip(outputs, tasks, strict=True))
    taken = {*_names(model.graph), *tasks}
    for task in tasks:
        if task not in renamed:
            other = task
            while other in taken:
                other += "_"
            taken.add(other)
            renamed[task] = other
    _rename(model.graph, renamed)


def _names(graph: onnx.GraphProto) -> Iterator[str]:
    """The names of all values of a graph that could be another's."""
    for value in (*graph.input, *graph.initializer, *graph.value_info):
        yield value.name
    for node in graph.node:
        yield from (*node.input, *node.output)
        for inner in _graphs(node):
            yield from _names(inner)


def _rename(graph: onnx.GraphProto, renamed: Mapping[str, str]) -> None:
    for value in (*graph.input, *graph.output, *graph.initializer, *graph.value_info):
        value.name = renamed.get(value.name, value.name)
    for node in graph.node:
        node.input[:] = [renamed.get(name, name) for name in node.input]
        node.output[:] = [renamed.get(name, name) for name in node.output]
        for inner in _graphs(node):
            _rename(inner, renamed)


def _graphs(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    """What a node that branches or loops runs."""
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def describe_model(model: onnx.ModelProto, sources: Sources, **more: Any) -> None:
    """Writes into a model's metadata what its input and its outputs are.

    Args:
        model: changed in place.
        sources: what it was made of.
        more: other facts, as JSON types.
    """
    fed = _input(sources, model.graph.input[0].name)
    facts = {"input": fed, "tasks": _tasks(sources), **more}
    del model.metadata_props[:]  # what onnxruntime notes of making it int8 is no JSON
    for key, value in facts.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, json.dumps(value, ensure_ascii=False)


def facts_of(metadata: Mapping[str, str], outputs: Collection[str]) -> dict[str, Any]:
    """What `describe_model` wrote.

    Args:
        metadata: of a model.
        outputs: their names, each of which is a task's.

    Raises:
        EngineError: where the metadata is not that of a model that paenet has made.
    """
    try:
        facts = {key: json.loads(metadata[key]) for key in ("input", "tasks")}
    except (KeyError, ValueError, RecursionError):
        facts = {}
    known = facts and all(isinstance(fact, dict) for fact in facts.values())
    if not known or not _tells_of(outputs, facts["tasks"]):
        raise EngineError("not a model that paenet has made; `pae export` writes one")
    return facts


def _tells_of(outputs: Collection[str], tasks: Mapping[str, Any]) -> bool:
    """Whether each output, and nothing else, is a task with a fingerprint."""
    return tasks.keys() == set(outputs) and all(
        isinstance(fact, dict) and isinstance(fact.get("fingerprint"), str)
        for fact in tasks.values()
    )


def check_model(model: onnx.ModelProto) -> None:
    """Has onnx check a model, shapes and all.

    Raises:
        EngineError: where it is not one.
    """
    import onnx

    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise EngineError(f"onnx refuses the model: {error}") from error


def _input(sources: Sources, name: str) -> dict[str, Any]:
    """How pixels become the input; a pack that was not made by a recipe knows its shape alone."""
    assert sources.example is not None
    told = dict(sources.input) if isinstance(sources.input, Mapping) else {}
    facts = {"name": name, "shape": ["batch", *sources.example.shape[1:]], **told}
    if {"size", "mean", "scale"} <= told.keys():
        resize = told.get("resize")
        cut = "" if resize is None else f"the centre of {resize} × {resize}, "
        facts["preprocessing"] = (
            f"RGB, {cut}{told['size']} × {told['size']} pixels of 0 to 255, as float32; "
            f"(pixel - {_short(told['mean'])}) / {_short(told['scale'])}; channels first"
        )
    return facts


def _short(value: object) -> str:
    """A number without what says nothing in it; what one's own pack says instead, as it is."""
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def _tasks(sources: Sources) -> dict[str, Any]:
    return {
        name: {
            "fingerprint": sources.fingerprint(name),
            **{key: sources.notes[name].get(key) for key in ("task", "terms")},
        }
        for name in sources.asked
    }


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporter tells of torchvision's operators, and torch of its own deprecations."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
