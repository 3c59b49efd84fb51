"""Every law that a file can be held to is looked at, and what breaks it is found."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from paenet.packfile import BackboneSpec, PackFileError, check, checking, load, read
from paenet.packfile.tensors import FINITE_LAW, FREE_LAW
from tests.packfile.files import changed, grown, reframed, saved, tiny, with_float
from tests.packing.networks import batch_norm

Document = dict[str, Any]
Tensors = dict[str, Tensor]
CHANNEL = 11  # of the first layer's twelve, one that widths before the last do not have


def beyond(document: Document, tensors: Tensors) -> None:
    tensors["owner.0"][CHANNEL] = 1


def other_fingerprint(document: Document, tensors: Tensors) -> None:
    document["tasks"][1]["fingerprint"] = "0" * 63 + "1"


def other_weight(document: Document, tensors: Tensors) -> None:
    tensors["head.1.weight"] = tensors["head.1.weight"] + 1


def another_tensor(document: Document, tensors: Tensors) -> None:
    tensors["thetas"] = torch.ones(1)


def another_stream(document: Document, frames: dict[str, bytes]) -> None:
    frames["task.2.head"] = frames["task.1.head"]


Breaking = Callable[[Path], Path]
BROKEN: dict[str, tuple[Breaking, str, str]] = {
    "tensor": (
        lambda path: changed(path, another_tensor),
        checking.BITS_LAW,
        "unknown tensor 'thetas'",
    ),
    "stream": (
        lambda path: reframed(path, another_stream),
        checking.BITS_LAW,
        "'task.2.head' belongs to nothing",
    ),
    "nan": (
        lambda path: with_float(path, "task.1.values", float("nan")),
        FINITE_LAW,
        "'theta.0' holds NaN",
    ),
    "infinity": (
        lambda path: with_float(path, "task.1.values", float("-inf")),
        FINITE_LAW,
        "'theta.0' holds NaN or infinity",
    ),
    "beyond": (
        lambda path: changed(path, beyond),
        checking.WIDTH_LAW,
        "task 'base' owns 27 weights",
    ),
    "fingerprint": (
        lambda path: changed(path, other_fingerprint),
        checking.FINGERPRINT_LAW,
        "task 'age': ",
    ),
    "value": (
        lambda path: changed(path, other_weight),
        checking.FINGERPRINT_LAW,
        "task 'base': ",
    ),
    "weight": (
        lambda path: with_float(path, "task.3.values", 0.5),
        checking.FINGERPRINT_LAW,
        "task 'age': ",
    ),
}


def test_a_file_as_it_was_written_keeps_every_law(tmp_path: Path) -> None:
    report = check(saved(grown()[0], tmp_path), backbone=batch_norm)
    assert report.ok
    assert report.verified == checking.LAWS
    assert report.tasks == ("base", "age", "mood")
    assert not report.skipped


@pytest.mark.parametrize(("breaking", "law", "message"), BROKEN.values(), ids=BROKEN)
def test_a_broken_law_is_found(breaking: Breaking, law: str, message: str, tmp_path: Path) -> None:
    report = check(breaking(saved(grown()[0], tmp_path)), backbone=batch_norm)
    assert not report.ok
    assert law not in report.verified
    assert any(message in finding.message for finding in report.findings if finding.law == law)


@pytest.mark.parametrize("name", ["tensor", "stream", "nan", "infinity"])
def test_what_breaks_a_law_without_being_computed_is_not_even_read(
    name: str, tmp_path: Path
) -> None:
    path = BROKEN[name][0](saved(grown()[0], tmp_path))
    for function in (read, load):
        with pytest.raises(PackFileError, match=r"pack\.pae: "):
            function(path, backbone=batch_norm)


def test_only_the_task_that_changed_is_named(tmp_path: Path) -> None:
    path = changed(saved(grown()[0], tmp_path), other_fingerprint)
    report = check(path, backbone=batch_norm)
    assert [finding.law for finding in report.findings] == [checking.FINGERPRINT_LAW]
    assert report.tasks == ("base", "mood")


def test_several_broken_laws_are_found_at_once(tmp_path: Path) -> None:
    path = changed(saved(grown()[0], tmp_path), other_fingerprint)
    with_float(path, "task.1.values", float("nan"))
    laws = {finding.law for finding in check(path, backbone=batch_norm).findings}
    assert laws == {FINITE_LAW, checking.FINGERPRINT_LAW}


def test_a_flipped_bit_is_a_finding(tmp_path: Path) -> None:
    path = saved(tiny(), tmp_path)
    data = bytearray(path.read_bytes())
    data[-1] ^= 4
    path.write_bytes(data)
    report = check(path)
    assert [finding.law for finding in report.findings] == [checking.BITS_LAW]
    assert report.verified == ()
    assert len(report.skipped) == len(checking.LAWS) - 1


def test_another_file_is_a_finding_and_a_missing_one_an_error(tmp_path: Path) -> None:
    other = tmp_path / "picture.png"
    other.write_bytes(b"\x89PNG")
    assert "is not a .pae file" in check(other).findings[0].message
    with pytest.raises(PackFileError, match="does not exist"):
        check(tmp_path / "no.pae")


def test_without_its_code_a_file_is_held_to_what_needs_none(tmp_path: Path) -> None:
    path = saved(tiny(), tmp_path, BackboneSpec("mine:build"))
    report = check(path)
    assert report.ok
    assert FREE_LAW in report.verified
    assert checking.FINGERPRINT_LAW not in report.verified
    assert {f.law for f in report.skipped} == {
        checking.FIT_LAW,
        checking.WIDTH_LAW,
        checking.STEM_LAW,
        checking.FINGERPRINT_LAW,
    }
    assert all("mine:build" in skipped.message for skipped in report.skipped)
    assert check(path, backbone=nn.Linear(2, 2)).verified == checking.LAWS


def test_another_backbone_is_a_finding(tmp_path: Path) -> None:
    report = check(saved(tiny(), tmp_path), backbone=nn.Linear(2, 5))
    assert [finding.law for finding in report.findings] == [checking.FIT_LAW]
