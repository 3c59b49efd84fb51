"""A task's description is checked as a whole, and an error names the key."""

from typing import Any

import pytest

from paenet.tasks import TaskError, create

GENDER: dict[str, Any] = {
    "kind": "classification",
    "name": "gender",
    "classes": ["female", "male"],
}
AGE: dict[str, Any] = {"kind": "ordinal", "name": "age"}
WHO: dict[str, Any] = {"kind": "identity", "name": "who"}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (GENDER | {"kind": "clasification"}, "did you mean 'classification'"),
        (GENDER | {"label_smoothin": 0.1}, "did you mean 'label_smoothing'"),
        (
            GENDER | {"classes": [True, False]},
            r"classes\[0\]: True is not a text; put it in quotes",
        ),
        (GENDER | {"classes": ["male"]}, "give two"),
        (GENDER | {"classes": ["male", "male"]}, "'male' is named twice"),
        (GENDER | {"classes": "male"}, "not a list"),
        (GENDER | {"class_weights": "balance"}, "did you mean 'balanced'"),
        (GENDER | {"dropout": 1.5}, "dropout: 1.5 is not a number from 0 to 1"),
        (GENDER | {"dropout": "much"}, "dropout: 'much' is not a number"),
        (GENDER | {"label_smoothing": True}, "label_smoothing: True is not a number"),
        (GENDER | {"name": ""}, "name: '' is not a text"),
        ({"kind": "classification", "name": "gender"}, "classes: missing"),
        (AGE | {"groups": ["0-9", "9-20"]}, r"groups\[1\]: '9-20' must start above 9"),
        (AGE | {"groups": ["0-9", "old"]}, "'old' is not a range"),
        (AGE | {"groups": ["0-9"]}, "give two"),
        (AGE | {"sigma": 0}, "sigma: 0 is not a number from 0.1"),
        (WHO | {"objective": "arc"}, "objective: 'arc' does not exist"),
        (WHO | {"label": "identity"}, "reads no labels"),
        (WHO | {"embedding": 1.5}, "embedding: 1.5 is not a whole number"),
        (WHO | {"margin": float("nan")}, "margin: nan is not a number"),
    ],
)
def test_a_wrong_description_is_refused_in_one_line(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(TaskError, match=message) as caught:
        create(**settings)
    assert "\n" not in str(caught.value)
    assert repr(settings["name"]) in str(caught.value)


def test_the_label_column_is_named_like_the_task_unless_told() -> None:
    assert create(**GENDER).label == "gender"
    assert create(**GENDER, label="sex").label == "sex"
    assert create(**AGE).label == "age"
    assert create(**WHO).label is None
    assert create(**WHO, objective="softmax").label == "identity"
