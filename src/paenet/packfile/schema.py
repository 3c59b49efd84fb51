"""The JSON document of a `.pae`, as types: what it must say, and what of it must agree."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from paenet.packfile import strict_json
from paenet.packfile.codings import CODINGS
from paenet.packfile.errors import PackFileError
from paenet.packing.parts import MOST_TASKS


@dataclass(frozen=True, slots=True)
class BackboneSpec:
    """Which network a pack is of.

    Attributes:
        name: as `paenet.backbones.create` takes it, or `module:callable`.
        arguments: what the builder is called with beside the width; JSON types.
    """

    name: str
    arguments: dict[str, Any] = field(default_factory=dict)


def _printable(text: str) -> str:
    # A name with control characters could rewrite the terminal that it is shown in.
    if not text or not text.isprintable():
        raise ValueError(f"{text!r} is not a name of printable characters")
    return text


Name = Annotated[str, AfterValidator(_printable)]
Factor = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Axis = Annotated[int, Field(ge=1, le=2**28)]


_MOST_WIDTHS = MOST_TASKS + 1  # one of each task, and the first
_LARGEST_EXAMPLE = 2**28  # values; reading allocates none of them, and engines take far fewer


class _Record(BaseModel):
    # Keys of later minor versions are kept aside, for `unknown_keys` to name.
    model_config = ConfigDict(strict=True, frozen=True, extra="allow")


class BackboneRecord(_Record):
    """The network: see `BackboneSpec`."""

    name: Name
    arguments: dict[str, Any]


class CodingsRecord(_Record):
    """How a task's values are written: its weights; its norms, biases and slopes; its head."""

    values: Literal[*CODINGS]  # type: ignore[valid-type]
    private: Literal["float32", "bfloat16"]
    head: Literal["float32", "bfloat16"]


class StemRecord(_Record):
    """The part of a task's network that is the base's: see `paenet.packing.Stem`."""

    name: Name
    layers: list[str]


class TaskRecord(_Record):
    """A task, without its tensors.

    Attributes:
        name: how the pack calls it.
        slot: its number in owner maps and in the names of its tensors.
        sees: earlier tasks whose weights it uses.
        width: index into the document's `widths`.
        stem: where its network is the base's; None for nowhere.
        picks: whether it has learnt which of the weights that it sees it uses.
        head: the head as `heads.describe` says it; None where code outside the file makes it.
        codings: how its values are written.
        fingerprint: of the task's network.
        notes: what its maker keeps of it.
    """

    name: Name
    slot: int = Field(ge=1, le=MOST_TASKS)
    sees: list[Name]
    width: int = Field(ge=0)
    stem: StemRecord | None = None
    picks: bool = False
    head: dict[str, Any] | None
    codings: CodingsRecord
    fingerprint: str = Field(pattern=r"^[0-9a-f]{64}$")
    notes: dict[str, Any]


class Document(_Record):
    """Everything that a file says in words; without format and digests, which are the bytes'.

    Attributes:
        backbone: the network.
        example: shape of an input batch of one; None where the pack knows none.
        base: the first task, None where there is none.
        widths: what the builder is given; the last, the widest, is that of the tensors.
        tasks: in the order in which they were learnt.
        about: what the maker keeps of the whole, such as input and base weights.
    """

    backbone: BackboneRecord
    example: list[Axis] | None = Field(max_length=5)
    base: Name | None
    widths: list[Factor | dict[str, Factor]] = Field(min_length=1, max_length=_MOST_WIDTHS)
    tasks: list[TaskRecord] = Field(max_length=MOST_TASKS)
    about: dict[str, Any]

    @property
    def spec(self) -> BackboneSpec:
        """The backbone as callers know it."""
        return BackboneSpec(self.backbone.name, self.backbone.arguments)


def parse(raw: dict[str, Any]) -> Document:
    """The document of a file, with everything in it that must agree held to it.

    Raises:
        PackFileError: names the key.
    """
    known = {key: value for key, value in raw.items() if key not in ("format", "sha256", "digests")}
    try:
        document = Document.model_validate(known)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = _shown(".".join(str(part) for part in first["loc"]))
        reason = first["msg"].removeprefix("Value error, ")
        raise PackFileError(f"metadata: {place}: {reason}; make the file again") from None
    _check_agreement(document)
    return document


def unknown_keys(document: Document) -> Iterator[str]:
    """The keys that this version does not know, with their places."""
    records: list[tuple[str, BaseModel]] = [("", document), ("backbone.", document.backbone)]
    for i, task in enumerate(document.tasks):
        records += [(f"tasks.{i}.", task), (f"tasks.{i}.codings.", task.codings)]
        if task.stem is not None:
            records.append((f"tasks.{i}.stem.", task.stem))
    for place, record in records:
        yield from (_shown(f"{place}{key}") for key in sorted(record.model_extra or {}))


def plain(value: object, place: str, depth: int = strict_json.DEEPEST) -> Any:
    """`value` as JSON types: tuples become lists, numbers that are not finite None.

    Args:
        value: what to write.
        place: where it is, for errors.
        depth: how many lists and dictionaries may be within each other.

    Raises:
        PackFileError: where JSON has no such type, or the value is nested too deeply; names the
            place.
    """
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if depth == 0:  # of what holds itself, too
        raise PackFileError(
            f"{place[:80]}…: nested more than {strict_json.DEEPEST} deep, or within itself; "
            "flatten it"
        )
    if isinstance(value, list | tuple):
        return [plain(item, f"{place}.{i}", depth - 1) for i, item in enumerate(value)]
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {key: plain(item, f"{place}.{key}", depth - 1) for key, item in value.items()}
    raise PackFileError(
        f"{place}: a {type(value).__name__} cannot be written; give numbers, texts, lists, and "
        "dictionaries with texts as keys"
    )


def _shown(place: str) -> str:
    """A place in the document, fit for a terminal whatever the keys in it are."""
    return place if place.isprintable() else ascii(place)


def _check_agreement(document: Document) -> None:
    if math.prod(document.example or [1]) > _LARGEST_EXAMPLE:
        raise PackFileError(f"metadata: example: {document.example} is too large for an input")
    earlier: dict[str, TaskRecord] = {}
    slots: set[int] = set()
    for i, task in enumerate(document.tasks):
        fault = _fault(task, earlier, slots, len(document.widths))
        if fault is not None:
            raise PackFileError(f"metadata: tasks.{i}: {fault}; make the file again")
        earlier[task.name] = task
        slots.add(task.slot)
    first = next(iter(earlier), None)
    if document.base != first:
        raise PackFileError(
            f"metadata: base: {document.base!r} is not the first task, {first!r}; "
            "make the file again"
        )


def _fault(
    task: TaskRecord, earlier: dict[str, TaskRecord], slots: set[int], widths: int
) -> str | None:
    strangers = [name for name in task.sees if name not in earlier]
    faults = {
        f"the name {task.name!r} is taken": task.name in earlier,
        f"slot {task.slot} is taken": task.slot in slots,
        f"width {task.width} does not exist; there are {widths}": task.width >= widths,
        f"sees {strangers}, which are no earlier tasks": bool(strangers),
        f"sees a task twice: {task.sees}": len(set(task.sees)) != len(task.sees),
        "picks weights and sees no task": task.picks and not task.sees,
        "has a stem and does not see the base": task.stem is not None
        and next(iter(earlier), None) not in task.sees,
    }
    return next((fault for fault, found in faults.items() if found), None)
