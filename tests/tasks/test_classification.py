"""Classes from labels and from votes; weights; accuracy."""

import pytest
import torch
from torch.nn.functional import cross_entropy

from paenet.packfile import heads
from paenet.tasks import Classification, TaskError, create

COLOUR = Classification(name="colour", classes=("red", "green", "blue"))
VOTES = {
    "colour": ["red", "blue", "green"],
    "colour:red": ["3", "0", ""],
    "colour:green": ["1", "0.5", ""],
    "colour:blue": ["0", "1.5", ""],
}


def test_labels_become_indices_in_the_order_of_the_classes() -> None:
    assert COLOUR.encode({"colour": ["blue", "red", "green"]}).tolist() == [2, 0, 1]


@pytest.mark.parametrize("label", ["gren", "", "Green"])
def test_an_unknown_label_is_named_with_its_row(label: str) -> None:
    with pytest.raises(
        TaskError, match=f"task 'colour': row 2: '{label}' is not a class"
    ) as caught:
        COLOUR.encode({"colour": ["red", label]})
    assert caught.value.row == 1


def test_votes_become_shares_and_a_row_without_votes_follows_its_label() -> None:
    expected = torch.tensor([[0.75, 0.25, 0], [0, 0.25, 0.75], [0, 1, 0]])
    assert torch.equal(COLOUR.encode(VOTES), expected)


@pytest.mark.parametrize("votes", ["-1", "nan", "inf", "many"])
def test_impossible_votes_are_refused(votes: str) -> None:
    columns = VOTES | {"colour:blue": ["0", votes, ""]}
    with pytest.raises(TaskError, match=rf"row 2: colour:blue: '{votes}'"):
        COLOUR.encode(columns)


def test_a_row_in_which_nothing_has_a_vote_is_refused() -> None:
    columns = VOTES | {"colour:red": ["0", "0", ""], "colour:green": ["0", "1", ""]}
    with pytest.raises(TaskError, match="row 1: no class has a vote"):
        COLOUR.encode(columns)


def test_votes_for_some_classes_only_are_refused() -> None:
    columns = {key: value for key, value in VOTES.items() if key != "colour:blue"}
    with pytest.raises(TaskError, match="no column 'colour:blue'"):
        COLOUR.encode(columns)


def test_balanced_weights_make_every_class_weigh_alike() -> None:
    task = Classification(name="c", classes=("a", "b", "never"), class_weights="balanced")
    targets = torch.tensor([0, 0, 0, 1])
    hard, soft = task.criterion(4, targets), task.criterion(4, torch.eye(3)[targets])
    assert torch.allclose(hard.weight, torch.tensor([4 / 6, 2.0, 0.0]))
    assert torch.equal(soft.weight, hard.weight)


def test_soft_targets_of_one_class_cost_what_the_class_costs() -> None:
    outputs, targets = (
        torch.randn(5, 3, generator=torch.Generator().manual_seed(0)),
        [0, 1, 2, 1, 1],
    )
    hard = torch.tensor(targets)
    criterion = Classification(name="c", classes=("a", "b", "d"), label_smoothing=0.2)
    loss = criterion.criterion(3, hard)
    assert torch.allclose(loss(outputs, hard), loss(outputs, torch.eye(3)[hard]))
    assert torch.equal(loss(outputs, hard), cross_entropy(outputs, hard, label_smoothing=0.2))


def test_accuracy_counts_rows_and_class_accuracy_counts_classes() -> None:
    targets = torch.tensor([0, 0, 0, 0, 0, 0, 1, 1])
    outputs = torch.eye(3)[torch.tensor([0, 0, 0, 0, 0, 0, 1, 2])]
    for truth in (targets, torch.eye(3)[targets]):
        measured = COLOUR.measure(outputs, truth)
        assert measured["accuracy"].value == 7 / 8
        assert measured["class_accuracy"].value == 3 / 4
        assert measured["accuracy"].count == 8


def test_an_embedding_goes_before_the_classes_and_a_pack_file_can_tell_it() -> None:
    task = Classification(name="emotion", classes=("a", "b", "c", "d"), embedding=3, dropout=0.2)
    head = task.head(8)
    assert [tuple(p.shape) for p in head.parameters() if p.dim() > 1] == [(3, 8), (4, 3)]
    assert head(torch.randn(5, 8)).shape == (5, 4)
    description = heads.describe(head)
    assert description is not None
    assert str(heads.build(description)) == str(head.eval())
    assert create(**task.describe()) == task


def test_without_an_embedding_the_head_is_one_linear_layer() -> None:
    assert isinstance(COLOUR.head(8), torch.nn.Linear)


@pytest.mark.parametrize("size", [0, -3, 2.0, True, "3", 65537, 100_000_000_000])
def test_an_embedding_of_no_whole_number_of_dimensions_is_refused(size: object) -> None:
    with pytest.raises(TaskError, match=r"embedding: .* is not a whole number from 1 to 65536"):
        Classification(name="c", classes=("a", "b"), embedding=size)
