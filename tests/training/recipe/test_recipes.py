"""The recipes that come with the project."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from paenet import packfile, training
from paenet.datasets import read_pairs
from paenet.training import load_recipe
from paenet.training.examples.data import encode, split_examples
from paenet.training.examples.material import SPLITS, make_task
from paenet.training.quickstart import quickstart_recipe
from paenet.training.recipe.recipe import parse_recipe, read_document
from tests.datasets.published import test_affectnet, test_fotw, test_lfw
from tests.datasets.published.test_adience import adience
from tests.datasets.published.test_cifar100 import record
from tests.datasets.published.test_vggface2 import vggface2
from tests.datasets.published.trees import put_images, put_lines
from tests.training import toys

FOLDER = Path(__file__).resolve().parents[3] / "recipes"
RECIPES = sorted(FOLDER.glob("*.yaml"))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_says_nothing_that_its_tasks_do_not_know(path: Path) -> None:
    for plan in load_recipe(path).tasks:
        assert make_task(plan).kind == plan.kind


def test_the_quickstart_learns_the_four_tasks_of_its_faces() -> None:
    names = [plan.name for plan in quickstart_recipe().tasks]
    assert names == ["identity", "gender", "age", "expression"]


@pytest.mark.real
def test_every_label_of_the_faces_recipe_is_known(real_data: Path) -> None:
    path = next(path for path in RECIPES if path.stem == "faces")
    if real_data.resolve() != (path.parents[2] / "shared").resolve():
        pytest.skip(f"{path.name} names its data relative to the checkout, not {real_data}")
    for plan in load_recipe(path).tasks:
        for split in SPLITS:
            encode(make_task(plan), split_examples(plan, split))
        if plan.pairs is not None:
            assert len(read_pairs(plan.pairs).same) == 6000


def miniature(path: Path, roots: Mapping[str, Path], pairs: Path | None = None) -> training.Recipe:
    """A recipe as it stands, but on small data, in a tiny network, and over in a second."""
    document: dict[str, Any] = read_document(path)
    document |= {"backbone": toys.BACKBONE, "weights": None}
    room = 2 if "resize" in document["input"] else 0
    document["input"] |= {"size": toys.SIZE, "resize": toys.SIZE + room}
    for task in document["tasks"]:
        before = task.get("pretrain", {})
        for part in (task["budget"], task["prune"], task["reference"], before.get("budget", {})):
            part["epochs"] = min(1, part.get("epochs", 0))
        task["prune"]["stages"] = 1
        for source in filter(None, (task["data"], before.get("data"))):
            source["root"] = str(roots[source["dataset"]])
        if "pairs" in task:
            task["pairs"] = str(pairs)
    return parse_recipe(document, name=path.name)


@pytest.fixture
def faces(tmp_path: Path) -> dict[str, Path]:
    """Miniatures of the sets of faces that the paper uses, by name."""
    roots = {name: tmp_path / name for name in ("vggface2", "adience", "affectnet", "fotw", "lfw")}
    vggface2(roots["vggface2"])
    tested = [f"test/n{n:06d}/{image:04d}_01.jpg" for n in range(70, 76) for image in range(3)]
    put_images(roots["vggface2"], tested)
    adience(roots["adience"], per_fold=12, folder="aligned")
    test_affectnet.put_lists(roots["affectnet"])
    for folder, file in test_fotw.FILES.values():
        rows = [f"{n}.jpg,10,20,100,110,{n % 2},0" for n in range(8)]
        put_images(roots["fotw"] / folder, [f"{n}.jpg" for n in range(8)])
        put_lines(roots["fotw"] / folder / file, test_fotw.HEADER, *rows)
    put_images(roots["lfw"], test_lfw.IMAGES)
    put_lines(roots["lfw"] / "pairs.txt", *test_lfw.PAIRS)
    return roots


def test_experiment_1_can_be_tried_on_any_fold(faces: dict[str, Path], tmp_path: Path) -> None:
    recipe = miniature(FOLDER / "paper-experiment-1.yaml", faces, faces["lfw"])
    first = training.up_to(recipe, "identity")
    training.run(first, tmp_path / "run", limit=40, cache=tmp_path / "cache")
    second = training.at_fold(recipe, 2)  # which a run of the first task alone can go on with
    training.run(second, tmp_path / "run", limit=40, cache=tmp_path / "cache")
    document = training.report([tmp_path / "run"], backbone=toys.BACKBONE)
    assert [(c["module"], c["data"]) for c in document["columns"]] == [
        ("identity", "lfw"),
        ("gender", "adience"),
        ("age", "adience"),
    ]
    assert list(document["rows"][0]["accuracy"]) == ["identity", "gender", "age"]
    assert {"FaceNet", "GenderNet", "AgeNet", "PAENet"} < {r["model"] for r in document["rows"]}


def test_experiment_2_trains_gender_on_celebrities_first(
    faces: dict[str, Path], tmp_path: Path
) -> None:
    pytest.importorskip("scipy.io")
    from tests.datasets.published import test_imdb_wiki

    celebrities = [{"name": f"Celebrity {n}", "gender": float(n % 2)} for n in range(30)]
    roots = faces | {"imdb-wiki": test_imdb_wiki.put(tmp_path / "imdb-wiki", *celebrities)}
    recipe = miniature(FOLDER / "paper-experiment-2.yaml", roots, faces["lfw"])
    path = training.run(recipe, tmp_path / "run", limit=40, cache=tmp_path / "cache")
    tasks = packfile.read(path, backbone=toys.tiny).pack.tasks
    assert list(tasks) == ["identity", "expression", "gender"]
    assert tasks["gender"].notes["data"]["pretrain"] == ["imdb-wiki"]


def test_the_twenty_tasks_of_cifar100_can_be_tried(tmp_path: Path) -> None:
    path = FOLDER / "cifar100-20tasks.yaml"
    plans = load_recipe(path).tasks
    names = [plan.name for plan in plans]
    fine = sorted(name for plan in plans for name in plan.settings["classes"])
    assert names == sorted(names)
    assert (len(names), len(fine), len(set(fine))) == (20, 100, 100)
    put_lines(tmp_path / "coarse_label_names.txt", *names)
    put_lines(tmp_path / "fine_label_names.txt", *fine)
    codes = [
        (coarse, fine.index(name))
        for coarse, plan in enumerate(plans[:2])
        for name in plan.settings["classes"]
    ]
    for part, count in (("train", 8), ("test", 2)):
        records = [record(n, *code) for n in range(count) for code in codes]
        (tmp_path / f"{part}.bin").write_bytes(b"".join(records))
    recipe = training.up_to(miniature(path, {"cifar100": tmp_path}), names[1])
    training.run(recipe, tmp_path / "run", limit=30, cache=tmp_path / "cache")
    rows = training.report([tmp_path / "run"], backbone=toys.BACKBONE)["rows"]
    published = training.published_figures()["cifar100"]
    (cpg,) = (row for row in published if row["model"] == "CPG" and row["source"] == "cpg-files")
    (beside,) = (row for row in rows[2:] if row["model"] == "CPG")  # of the same two tasks
    assert beside["average"] == pytest.approx(sum(cpg["tasks"][:2]) / 2)
    assert rows[0]["weights"] >= 1
