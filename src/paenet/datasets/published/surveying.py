"""What a folder with a published data set holds: examples by split and label, and what is wrong."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from paenet.datasets.examples import Examples
from paenet.datasets.published.registry import published, read_published

MANY = 120  # values of a column; more of them, such as identities, are counted only


def survey(name: str, root: str | Path, **options: Any) -> dict[str, Any]:
    """Reads a published data set, but none of its images.

    Args:
        name, root, options: as `read_published`.

    Returns:
        `examples` by split; `labels`: by column either `values`, by value and split how many, the
        most frequent first, or, where there are more than `MANY`, `different`, how many by split;
        `skipped`, as `Skipped.as_json`; and `pairs` where the folder has pairs of faces: how many
        `pairs`, how many of them of the `same` person, in how many `folds`.

    Raises:
        DataError: as `read_published`; also where the folder has pairs and they are wrong.
    """
    entry = published(name)
    examples = read_published(name, root, **options)
    splits = Counter(examples.columns["split"])
    found: dict[str, Any] = {
        "name": name,
        "root": str(root),
        "options": options,
        "examples": {split: splits[split] for split in entry.splits},
        "labels": {column: _counts(examples, column, entry.splits) for column in entry.labels},
        "skipped": examples.skipped.as_json(),
    }
    if entry.pairs is not None and entry.pairs_file(root) is not None:
        pairs = entry.pairs(root)
        found["pairs"] = {
            "pairs": len(pairs),
            "same": int(pairs.same.sum()),
            "folds": len(set(pairs.fold.tolist())),
        }
    return found


def _counts(examples: Examples, column: str, splits: tuple[str, ...]) -> dict[str, Any]:
    values = examples.columns[column]
    pairs = Counter(zip(values, examples.columns["split"], strict=True))
    order = [value for value, _ in Counter(values).most_common()]
    if len(order) > MANY:
        different = Counter(split for _, split in pairs)
        return {"different": {split: different[split] for split in splits}}
    return {"values": {value: {split: pairs[value, split] for split in splits} for value in order}}
