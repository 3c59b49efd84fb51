"""What a task is learnt from and judged on: its splits, its teacher, its pairs."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from paenet.training.errors import RecipeError
from paenet.training.examples.data import View
from paenet.training.examples.material import Material, open_material, open_pairs
from paenet.training.recipe.network import Input
from tests.datasets.published.trees import put_images, put_lines
from tests.training import toys

VIEW = View(toys.SIZE, 127.5, 128.0)
DISTILLED = {"kind": "identity", "settings": {"objective": "distill"}}


class Counting(nn.Module):
    """A network that counts how many images it was shown."""

    def __init__(self) -> None:
        super().__init__()
        self.network = toys.tiny()
        self.shown = 0

    def forward(self, images: Tensor) -> Tensor:
        self.shown += len(images)
        return self.network(images)  # type: ignore[no-any-return]


def opened(faces: Path, teacher: nn.Module | None = None, **keys: Any) -> Material:
    watch = keys.pop("watch", lambda what, done, total: None)
    return open_material(
        toys.recipe(toys.task("a", faces, **keys)).tasks[0],
        view=VIEW,
        given=Input(),
        cache=faces.parent / "cache",
        limit=None,
        seed=0,
        teacher=teacher,
        watch=watch,
    )


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("classification", {"classes": ["dark", "light"], "label": "shade"}),
        ("ordinal", {"label": "age"}),
        ("identity", {"objective": "softmax"}),
    ],
)
def test_the_goals_metric_comes_first(kind: str, settings: dict[str, Any], faces: Path) -> None:
    material = opened(faces, kind=kind, settings=settings)
    network = nn.Sequential(toys.tiny(), material.task.head(toys.FEATURES))
    found = material.measure(network, material.val)
    assert next(iter(found)) == material.task.metric
    assert {"value", "low", "high", "count", "unit"} <= set(found[material.task.metric])


def test_a_teacher_is_asked_once_for_every_split(faces: Path) -> None:
    teacher = Counting().eval()
    material = opened(faces, teacher, **DISTILLED)
    for _ in range(3):
        material.measure(toys.tiny(), material.val)
    assert teacher.shown == len(material.val)
    assert material.measure(teacher, material.val)["agreement"]["value"] == pytest.approx(1)
    assert teacher.shown == len(material.val)
    material.measure(toys.tiny(), material.test)
    assert teacher.shown == len(material.val) + len(material.test)


def test_measuring_leaves_a_network_in_the_mode_it_was_in(faces: Path) -> None:
    material = opened(faces)
    network = nn.Sequential(toys.tiny(), nn.Linear(toys.FEATURES, 2)).train()
    before = [tensor.clone() for tensor in network.state_dict().values()]
    material.measure(network, material.val)
    assert network.training
    assert all(map(torch.equal, before, network.state_dict().values()))


def test_an_identity_is_tested_on_its_pairs_beside_its_test_split(faces: Path) -> None:
    material = opened(faces, Counting().eval(), **DISTILLED, pairs=str(toys.pairs(faces)))
    assert list(material.test_metrics(toys.tiny())) == [
        "agreement",
        "pairs",
        "pairs_mean_subtracted",
    ]
    assert list(material.measure(toys.tiny(), material.val)) == ["agreement"]  # goals see no pairs


def test_what_is_under_way_is_told(faces: Path, tmp_path: Path) -> None:
    told = []
    material = opened(
        toys.table(tmp_path), watch=lambda what, done, total: told.append((what, done, total))
    )
    assert told[-1] == ("a/decode", 36, 36)
    material.measure(nn.Sequential(toys.tiny(), nn.Linear(toys.FEATURES, 2)), material.val)
    assert told[-1] == ("a/judge", 36, 36)


# ---------------------------------------------------------------- pairs


def test_pairs_keep_their_faces_their_answer_and_their_fold(faces: Path, tmp_path: Path) -> None:
    path = toys.pairs(faces)
    pairs = open_pairs(str(path), VIEW, Input(), tmp_path)
    rows = toys.read_csv(path)
    faces_of_all = {row[key] for row in rows for key in ("path_a", "path_b")}
    assert len(pairs.split) == len(faces_of_all)  # each once, however many pairs it is in
    assert pairs.same.tolist() == [row["same"] == "1" for row in rows]
    assert pairs.fold.tolist() == [int(row["fold"]) for row in rows]
    alone = open_pairs(str(path), VIEW, Input(), tmp_path, limit=1)
    first = pairs.split.images(np.array([int(pairs.a[0]), int(pairs.b[0])]))
    assert torch.equal(alone.split.images(np.array([int(alone.a[0]), int(alone.b[0])])), first)


def test_a_limit_takes_pairs_of_every_fold(faces: Path, tmp_path: Path) -> None:
    pairs = open_pairs(str(toys.pairs(faces)), VIEW, Input(), tmp_path, limit=7)
    assert len(pairs.same) == 7
    assert set(pairs.fold.tolist()) == {0, 1, 2}


def test_a_broken_face_of_a_pair_is_named_since_a_test_cannot_leave_it_out(tmp_path: Path) -> None:
    path = toys.pairs(toys.table(tmp_path))
    (tmp_path / "test" / "3-2.png").write_bytes(b"no picture")
    with pytest.raises(RecipeError, match=rf"{path}: test/3-2\.png: .*every image of a pairs file"):
        open_pairs(str(path), VIEW, Input(max_broken=1), tmp_path / "cache")


def test_pairs_may_be_the_folder_of_lfw(tmp_path: Path) -> None:
    put_images(tmp_path, [f"{name}/{name}_000{n}.jpg" for name in ("Ann", "Bo") for n in (1, 2)])
    lines = ("Ann\t1\t2", "Ann\t1\tBo\t1", "Bo\t1\t2", "Bo\t2\tAnn\t2")
    put_lines(tmp_path / "pairs.txt", "2\t1", *lines)
    pairs = open_pairs(str(tmp_path), VIEW, Input(), tmp_path / "cache")
    assert pairs.same.tolist() == [True, False, True, False]
    assert pairs.fold.tolist() == [1, 1, 2, 2]
    assert len(pairs.split) == 4
