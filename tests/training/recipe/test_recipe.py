"""A recipe is read whole before anything runs, and what is wrong with it is said in one line."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from paenet.packing import METHODS
from paenet.training import RecipeError, dump_recipe, load_recipe, parse_recipe
from paenet.training.recipe.network import Backbone
from paenet.training.recipe.plan import Budget, TaskPlan
from paenet.training.recipe.recipe import Recipe, parse_addition
from tests.training import toys

FACES = Path("faces.csv")


def changed(path: str, value: Any) -> dict[str, Any]:
    """A recipe's document with one key set: `tasks.0.goal.within`."""
    document = toys.document(toys.task("gender", FACES))
    *sections, key = path.split(".")
    at: Any = document
    for section in sections:
        at = at[int(section)] if section.isdigit() else at.setdefault(section, {})
    at[key] = value
    return document


def refusal(document: Any) -> str:
    """What is said of a document that cannot be a recipe."""
    with pytest.raises(RecipeError) as caught:
        parse_recipe(document, name="faces.yaml")
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("methd", "pae", "methd: unknown key; did you mean 'method'?"),
        ("tasks.0.goals", {}, "tasks[0].goals: unknown key; did you mean 'goal'?"),
        ("tasks.0.goal.withn", 0.1, "tasks[0].goal.withn: unknown key; did you mean 'within'?"),
        ("tasks.0.budget.epoch", 1, "tasks[0].budget.epoch: unknown key; did you mean 'epochs'?"),
        ("tasks.0.reference", {"rat": 1}, "reference.rat: unknown key; did you mean 'rate'?"),
        ("tasks.0.prune.qqq", 1, "tasks[0].prune.qqq: unknown key; known: bisections, epochs, "),
        ("input.augment", {"filp": 1}, "input.augment.filp: unknown key; did you mean 'flip'?"),
        ("backbone", {"nme": "small"}, "backbone.nme: unknown key; did you mean 'name'?"),
    ],
)
def test_an_unknown_key_is_named_and_the_nearest_one_offered(
    path: str, value: Any, message: str
) -> None:
    assert message in refusal(changed(path, value))


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("seed", "x", "seed: 'x': give a whole number"),
        ("seed", -1, "seed: -1: give at least 0"),
        ("precision", "fp16", "precision: 'fp16': give 'auto', 'float32' or 'bf16'"),
        ("tasks.0.goal", {"within": 1.5}, "tasks[0].goal.within: 1.5: give at most 1"),
        ("tasks.0.goal", 0.9, "tasks[0].goal: 0.9: give a mapping of keys"),
        ("tasks.0.name", 7, "tasks[0].name: 7: give text"),
        ("tasks.0.name", "a b", "tasks[0].name: 'a b': give a letter, then letters, digits"),
        ("tasks.0.name", "a/../b\n", "tasks[0].name: 'a/../b\\n': give a letter"),
        ("tasks.0.kind", "classify", "tasks[0].kind: 'classify': give 'classification', 'ordinal'"),
        ("tasks.0.data", "faces.csv", "tasks[0].data: 'faces.csv': give {table: FILE}, "),
        ("tasks.0.data", ["faces.csv"], "tasks[0].data: ['faces.csv']: give {table: FILE}, "),
        ("tasks.0.data", [], "tasks[0].data: []: give {table: FILE}, "),
        ("tasks.0.widen", {"width": "2x"}, "tasks[0].widen.width: '2x': give a factor above 0"),
        ("tasks.0.widen", {"width": {"a": -1}}, "widen.width: {'a': -1}: give a factor above 0"),
        ("tasks.0.widen", {"ratio": 1}, "tasks[0].widen.ratio: 1: give more than 1"),
        ("tasks.0.prune", {"to": 1}, "tasks[0].prune.to: 1: give less than 1"),
        ("tasks.0.budget", {"batch": 1}, "tasks[0].budget.batch: 1: give at least 2"),
        ("tasks.0.budget", {"examples": 1}, "tasks[0].budget.examples: 1: give at least 2"),
        ("tasks.0.budget", {"rate": float("inf")}, "tasks[0].budget.rate: inf: give a finite"),
        ("tasks.0.goal", {"at_least": float("nan")}, "goal.at_least: nan: give a finite number"),
        ("input.augment", {"zoom": [1.2, 0.8]}, "augment.zoom: [1.2, 0.8] is no range; give"),
        ("input.augment", {"zoom": 1.2}, "input.augment.zoom: 1.2: give a list"),
        ("input.size", 4, "input.size: 4: give at least 8"),
        ("tasks", [], "tasks: empty; give at least one task"),
        ("method", "pea", "method: unknown method 'pea'; did you mean 'pae'?"),
        ("backbone", "smal", "backbone.name: backbone 'smal' does not exist; did you mean 'small'"),
        ("backbone", {"name": "small", "arguments": {"width": 2}}, "backbone.arguments: the width"),
    ],
)
def test_a_wrong_value_is_shown_with_its_key_and_what_to_give(
    path: str, value: Any, message: str
) -> None:
    text = refusal(changed(path, value))
    assert text.startswith("faces.yaml: ")
    assert message in text


@pytest.mark.parametrize("key", ["backbone", "tasks"])
def test_a_missing_key_is_named(key: str) -> None:
    document = changed("seed", 0)
    del document[key]
    assert refusal(document) == f"faces.yaml: {key}: missing; every recipe needs it"


@pytest.mark.parametrize("key", ["name", "kind", "data", "goal"])
def test_a_missing_key_of_a_task_is_named(key: str) -> None:
    document = changed("seed", 0)
    del document["tasks"][0][key]
    assert f"tasks[0].{key}: missing" in refusal(document)


@pytest.mark.parametrize("goal", [{}, {"at_least": 0.9, "within": 0.1}])
def test_a_goal_is_one_of_two(goal: dict[str, float]) -> None:
    message = "faces.yaml: tasks[0].goal: give one of at_least and within"
    assert refusal(changed("tasks.0.goal", goal)) == message


def test_two_tasks_of_one_name_are_refused() -> None:
    tasks = [toys.task(name, FACES) for name in ("age", "gender", "age")]
    assert "tasks: two tasks are called 'age'" in refusal(toys.document(*tasks))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "classes: missing"),
        ({"clases": ["a", "b"]}, "no setting 'clases'; did you mean 'classes'?"),
        ({"classes": ["a"]}, "has nothing to tell apart"),
        ({"classes": ["a", "b"], "name": "x"}, "'name' belongs beside the settings"),
    ],
)
def test_the_settings_of_every_task_are_checked_before_the_first_is_learnt(
    settings: dict[str, Any], message: str
) -> None:
    tasks = [toys.task("first", FACES), toys.task("last", FACES, settings=settings)]
    text = refusal(toys.document(*tasks))
    assert text.startswith("faces.yaml: tasks[1].settings: ")
    assert message in text


def test_absent_settings_are_checked_too() -> None:
    task = toys.task("last", FACES)
    del task["settings"]
    assert "tasks[0].settings: task 'last': classes: missing" in refusal(toys.document(task))


def test_several_mistakes_are_counted_and_a_misspelt_key_comes_first() -> None:
    document = changed("tasks.0.gaol", {})
    del document["tasks"][0]["goal"]
    message = "faces.yaml: tasks[0].gaol: unknown key; did you mean 'goal'? (and 1 more)"
    assert refusal(document) == message


def test_a_long_value_is_not_repeated_in_full() -> None:
    text = refusal(changed("tasks.0.goal", list(range(1000))))
    assert text == "faces.yaml: tasks[0].goal: a list: give a mapping of keys"


@pytest.mark.parametrize(
    ("document", "found"), [(None, "nothing"), ([], "a list"), ("x", "text"), (3, "a number")]
)
def test_what_is_no_mapping_is_no_recipe(document: Any, found: str) -> None:
    assert refusal(document) == f"faces.yaml: holds {found}; a recipe is a mapping of keys"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"tasks: [", "not YAML: "),
        (b"\xff\xfe\x00", "not a text file"),
        (b"seed: 2024-99-99", "not YAML that can be read"),
        (b"seed: 1\nseed: 2", "not YAML: key 'seed' stands there twice"),
        (b"tasks: [{prune: {to: 0.1}, prune: {to: 0.2}}]", "key 'prune' stands there twice"),
        (b"[" * 5000, "not YAML"),
        (b"!!python/object/apply:os.system [ls]", "not YAML: "),
        (b"", "holds nothing"),
        (b"1: 2", "recipe"),
    ],
)
def test_a_file_that_is_no_recipe_is_named(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "faces.yaml"
    path.write_bytes(content)
    with pytest.raises(RecipeError) as caught:
        load_recipe(path)
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    assert message in text
    assert "\n" not in text


def test_a_recipe_that_is_absent_or_a_folder_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.yaml", tmp_path, tmp_path / "absent" / "faces.yaml"):
        with pytest.raises(RecipeError, match=str(path)):
            load_recipe(path)


def test_paths_are_relative_to_the_recipe(tmp_path: Path) -> None:
    task = toys.task("identity", FACES, pairs="lfw/pairs.csv")
    task["data"] = [{"table": "a.csv"}, {"folder": "../b"}, {"synthetic": {"people": 3}}]
    task["data"].append({"dataset": "adience", "root": "sets/adience", "fold": 1})
    path = tmp_path / "recipes" / "faces.yaml"
    path.parent.mkdir()
    path.write_text(yaml.safe_dump(toys.document(task, weights="nets/w.safetensors")))
    recipe = load_recipe(path)
    assert recipe.tasks[0].data == [
        {"table": str(tmp_path / "recipes" / "a.csv")},
        {"folder": str(tmp_path / "b")},
        {"synthetic": {"people": 3}},
        {"dataset": "adience", "root": str(tmp_path / "recipes" / "sets/adience"), "fold": 1},
    ]
    assert recipe.tasks[0].pairs == str(tmp_path / "recipes" / "lfw" / "pairs.csv")
    assert recipe.weights == str(tmp_path / "recipes" / "nets" / "w.safetensors")


@pytest.mark.parametrize("key", ["weights", "tasks.0.pairs", "tasks.0.data.table"])
def test_what_is_no_path_is_named(key: str) -> None:
    with pytest.raises(RecipeError, match=r"'a\\x00b': no path"):
        parse_recipe(changed(key, "a\0b"))


def test_registered_weights_keep_their_name() -> None:
    assert parse_recipe(changed("weights", "facenet-vggface2")).weights == "facenet-vggface2"


@pytest.mark.parametrize("method", METHODS)
def test_a_recipe_that_is_written_out_reads_as_itself(method: str, tmp_path: Path) -> None:
    tasks = [
        toys.task("a-1", FACES, goal={"within": 0.01, "missed": "keep"}, terms="à moi"),
        toys.task("b", FACES, widen={"width": {"a": 1.5, "*": 1.1}}, reference={"epochs": 2}),
    ]
    document = toys.document(*tasks, method=method, precision="bf16", checkpoint_seconds=0.5)
    document["input"]["augment"] = {"zoom": [0.8, 1.2], "flip": 0}
    recipe = parse_recipe(document, folder=tmp_path)
    path = tmp_path / "elsewhere" / "full.yaml"
    path.parent.mkdir()
    path.write_text(dump_recipe(recipe), encoding="utf-8")
    assert load_recipe(path) == recipe
    assert dump_recipe(load_recipe(path)) == path.read_text(encoding="utf-8")


def test_every_key_of_a_recipe_is_written_out() -> None:
    written = yaml.safe_load(dump_recipe(parse_recipe(changed("seed", 1))))
    assert written.keys() == Recipe.model_fields.keys()
    assert written["tasks"][0].keys() == TaskPlan.model_fields.keys()
    assert written["tasks"][0]["budget"].keys() == Budget.model_fields.keys()


def test_a_reference_may_train_as_long_as_training_and_pruning_together() -> None:
    plan = toys.task("a", FACES, budget={"epochs": 3, "rate": 0.1}, prune={"stages": 4})
    found = toys.recipe(plan).tasks[0].reference_budget()
    assert (found.epochs, found.rate) == (3 + 4 * 0.5, 0.1)
    given = toys.recipe({**plan, "reference": {"epochs": 9}}).tasks[0].reference_budget()
    assert given == Budget(epochs=9)


def test_reading_a_recipe_imports_no_code_of_the_users_own() -> None:
    recipe = parse_recipe(changed("backbone", "no_such_module:build"))
    assert recipe.backbone.name == "no_such_module:build"


def added(**keys: Any) -> Recipe:
    document = {**toys.task("mood", FACES), **keys}
    return parse_addition(document, Backbone(name="small"), name="mood.yaml", folder=Path("/data"))


def test_an_added_tasks_file_has_its_keys_and_a_few_of_the_runs() -> None:
    recipe = added(method="pae-all", seed=3, input={"max_broken": 0.5})
    assert (recipe.method, recipe.seed, recipe.input.max_broken) == ("pae-all", 3, 0.5)
    assert recipe.tasks[0].data == {"table": "/data/faces.csv"}


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"goal": {"withn": 1}}, "mood.yaml: goal.withn: unknown key; did you mean 'within'?"),
        ({"gaol": 1}, "mood.yaml: gaol: unknown key; did you mean 'goal'?"),
        ({"metod": "pae"}, "mood.yaml: metod: unknown key; did you mean 'method'?"),
        ({"backbone": "small"}, "mood.yaml: backbone: unknown key; "),
        ({"tasks": []}, "mood.yaml: tasks: unknown key; "),
        ({"seed": "x"}, "mood.yaml: seed: 'x': give a whole number"),
        ({"input": {"size": 64}}, "mood.yaml: input.size: the pack has one already"),
        ({"input": {"resize": 64}}, "mood.yaml: input.resize: the pack has one already"),
        ({"method": "individual"}, "mood.yaml: method: 'individual' gives every task a pack"),
    ],
)
def test_an_added_tasks_mistakes_are_named_as_its_file_has_them(
    keys: dict[str, Any], message: str
) -> None:
    with pytest.raises(RecipeError) as caught:
        added(**keys)
    assert str(caught.value).startswith(message)


def test_an_added_task_is_a_mapping() -> None:
    with pytest.raises(RecipeError, match=r"^mood.yaml: holds a list; give the keys of one task"):
        parse_addition([], Backbone(name="small"), name="mood.yaml", folder=Path())
