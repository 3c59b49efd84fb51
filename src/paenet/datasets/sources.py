"""A data set as a recipe names it: a table, a folder, a published one, or several of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from paenet.datasets.errors import DataError
from paenet.datasets.examples import Examples, join
from paenet.datasets.folder import folder_splits, read_folder
from paenet.datasets.pairs import Pairs, read_pairs
from paenet.datasets.published import (
    PUBLISHED,
    check_options,
    published,
    read_lfw_pairs,
    read_published,
)
from paenet.datasets.synthetic import synthetic_faces, synthetic_splits
from paenet.datasets.table import EmptySplit, empty_split, read_table, table_splits
from paenet.errors import suggest

Part = Mapping[str, Any]
Names = tuple[str, ...]
Spec = str | Path | Mapping[str, Any] | Sequence["Spec"]

PLACES = ("table", "folder", "root")
"""The keys of a data set that hold a path."""


def open_examples(spec: Spec, split: str | None = None) -> Examples:
    """The examples of a data set.

    Args:
        spec: `{"table": path}`, `{"folder": path}`, `{"dataset": name, "root": path}` (a
            published one, with its options beside: see `read_published`), `{"synthetic": {...}}`
            (the arguments of `synthetic_faces`), a path (of a CSV or a folder), or a list of
            these, which joins them. A mapping may also have `rename`: new column names by old ones.
        split: its name; None takes all splits. A list needs it in at least one of its parts.

    Raises:
        DataError: where the spec is none of these, or its source cannot be read.
    """
    parts = _parts(spec)
    if len(parts) == 1 or split is None:
        return join([_open(part, split) for part in parts])
    having = []
    for part in parts:
        if split in _splits(part):
            with suppress(EmptySplit):  # of a published set that is there without that split
                having.append(_open(part, split))
    if not having:
        raise empty_split(" + ".join(map(_name, parts)), split, split_names(spec))
    return join(having)


def split_names(spec: Spec) -> tuple[str, ...]:
    """The names of the splits that a data set has, for instance `("train", "val", "test")`.

    Raises:
        DataError: as `open_examples`.
    """
    return tuple(dict.fromkeys(name for part in _parts(spec) for name in _splits(part)))


def origins(spec: Spec) -> list[str]:
    """What a data set is made of, for people elsewhere: a file's name with its folder's, no more.

    Returns:
        Such as `["utkface/labels.csv", "adience", "synthetic"]`.
    """
    return [
        "/".join(Path(_name(part)).parts[-2:]) if _kind(part) in PLACES else _name(part)
        for part in _parts(spec)
    ]


def pairs_at(path: str | Path) -> Pairs:
    """The pairs of a pairs file, or of a folder that holds LFW with its official `pairs.txt`.

    Raises:
        DataError: as `read_pairs` and `read_lfw_pairs`.
    """
    return read_lfw_pairs(path) if Path(path).is_dir() else read_pairs(path)


def _parts(spec: Spec) -> list[dict[str, Any]]:
    if isinstance(spec, str | Path):
        kind = "folder" if Path(spec).is_dir() else "table"
        return [{kind: spec}]
    if isinstance(spec, Mapping):
        return [_checked(dict(spec))]
    if not isinstance(spec, Sequence):
        raise DataError(f"data: {spec!r}; name a table or folder")
    parts = [part for item in spec for part in _parts(item)]
    if not parts:
        raise DataError("data: an empty list; name at least one table or folder")
    return parts


def _checked(part: dict[str, Any]) -> dict[str, Any]:
    if "dataset" in part:
        if not _is_path(part.get("root")):
            raise DataError(
                f"data: dataset {part['dataset']!r} needs its folder: root is {part.get('root')!r}"
            )
        check_options(part["dataset"], _options(part))
    else:
        for key in sorted(part, key=lambda key: key == "root"):  # a misspelt `dataset` first
            if key in PUBLISHED:
                raise DataError(f"data: unknown key {key!r}; give dataset: {key}, root: DIR")
            if key not in (*_KINDS, "rename"):
                raise DataError(
                    f"data: unknown key {key!r}{suggest(str(key), [*_KINDS, 'rename'])}"
                )
    if sum(key in _KINDS for key in part) != 1:
        raise DataError(f"data: give exactly one of {', '.join(_KINDS)}; found {list(part)}")
    for key, (holds, wanted) in _VALUES.items():
        if key in part and not holds(part[key]):
            raise DataError(f"data: {key} is {part[key]!r}; give {wanted}")
    return part


def _options(part: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a published data set."""
    beside = ("root", "rename", *_KINDS)
    return {str(key): value for key, value in part.items() if key not in beside}


def _kind(part: Mapping[str, Any]) -> str:
    return next(key for key in part if key in _KINDS)


def _name(part: Mapping[str, Any]) -> str:
    kind = _kind(part)
    return kind if kind == "synthetic" else str(part[kind])


def _open(part: Mapping[str, Any], split: str | None) -> Examples:
    examples = _KINDS[_kind(part)][0](part, split)
    return examples.rename(part["rename"]) if part.get("rename") else examples


def _splits(part: Mapping[str, Any]) -> tuple[str, ...]:
    return _KINDS[_kind(part)][1](part)


def _is_path(value: Any) -> bool:
    return isinstance(value, str | Path) and "\0" not in str(value)


def _is_names(value: Any) -> bool:
    return isinstance(value, Mapping) and all(
        isinstance(name, str) for pair in value.items() for name in pair
    )


# What may stand under a key, and how to say so.
_VALUES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "table": (_is_path, "the path of a CSV"),
    "folder": (_is_path, "the path of a folder"),
    "synthetic": (lambda value: value is None or isinstance(value, Mapping), "{people: 100, …}"),
    "rename": (lambda value: value is None or _is_names(value), "new names by old ones"),
}


def _draw_faces(settings: Mapping[str, Any] | None, split: str | None) -> Examples:
    known = ("people", "per_person", "seed", "size")
    for key in settings or {}:
        if key not in known:
            raise DataError(f"synthetic: unknown key {key!r}{suggest(str(key), known)}")
    return synthetic_faces(split, **(settings or {}))


# How to open a source and how to list its splits: adding a kind takes one entry.
_KINDS: dict[str, tuple[Callable[[Part, str | None], Examples], Callable[[Part], Names]]] = {
    "table": (
        lambda part, split: read_table(part["table"], split),
        lambda part: table_splits(part["table"]),
    ),
    "folder": (
        lambda part, split: read_folder(part["folder"], split),
        lambda part: folder_splits(part["folder"]),
    ),
    "dataset": (
        lambda part, split: read_published(part["dataset"], part["root"], split, **_options(part)),
        lambda part: published(part["dataset"]).splits,
    ),
    "synthetic": (
        lambda part, split: _draw_faces(part["synthetic"], split),
        lambda _: synthetic_splits(),
    ),
}
