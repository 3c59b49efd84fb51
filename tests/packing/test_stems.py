"""A stem is the base's own: a network splits into parts, and a task owns nothing below."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from paenet.packing import Pack, PackingError, Traced, segments, splits
from tests.packing.networks import (
    NETWORKS,
    Builder,
    Foreign,
    Promise,
    batch_norm,
    check_owners,
    head,
    images,
    no_bias,
    outputs,
    packed,
    teach,
    train,
)


class Blocks(nn.Module):
    """A stem, two residual blocks, a norm, dropout, and a layer that a forward calls twice."""

    def __init__(self, width: float = 1.0, above: float = 1.0, first: float | None = None) -> None:
        super().__init__()
        a, b = round(4 * width), round(6 * above)
        self.stem = nn.Sequential(nn.Conv2d(3, a, 3, padding=1), nn.BatchNorm2d(a), nn.ReLU())
        self.first = _Block(a, a if first is None else round(4 * first))
        self.second = _Block(a, b)
        self.norm = nn.BatchNorm2d(a)
        self.dropout = nn.Dropout(0.5)
        self.twice = nn.Linear(a, a)
        self.last = nn.Linear(a, 6)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = functional.relu(self.norm(self.second(self.first(self.stem(x)))))
        y = self.dropout(y.mean((2, 3)))
        y = self.twice(functional.relu(self.twice(y)))
        return self.last(y + torch.ones(1))


class _Block(nn.Module):
    def __init__(self, stream: int, inner: int) -> None:
        super().__init__()
        self.inner = nn.Conv2d(stream, inner, 1)
        self.slope = nn.PReLU(inner)
        self.outer = nn.Conv2d(inner, stream, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.relu(x + self.outer(self.slope(self.inner(x))))


def blocks(width: float | tuple[float, ...]) -> nn.Module:
    return Blocks(*(width if isinstance(width, tuple) else (width, width)))


def test_splits_are_named_after_the_outermost_block_that_ends_there() -> None:
    assert list(splits(Blocks(), images(1))) == ["stem", "first", "second", "twice", "last"]


def test_a_split_has_below_it_what_runs_before_it_and_no_dropout() -> None:
    found = splits(Blocks(), images(1))
    assert found["second"].layers == (
        *("stem.0", "first.inner", "first.outer", "second.inner", "second.outer"),
    )
    assert found["second"].privates == ("stem.1", "first.slope", "second.slope", "norm")
    assert found["second"].shape == (1, 4)
    assert found["stem"].keys(Blocks().state_dict()) == {
        key for key in Blocks().state_dict() if key.startswith("stem.")
    }


def test_work_grows_from_split_to_split_up_to_all_of_it() -> None:
    work = [split.work for split in splits(Blocks(), images(1)).values()]
    assert work == sorted(set(work))
    assert work[0] == pytest.approx(3 * 4 * 9 * 64 / (64 * (108 + 32 + 48) + 2 * 16 + 24))
    assert work[-1] == 1.0


def test_there_is_no_split_inside_a_block_or_between_two_calls_of_one_layer() -> None:
    assert not {"first.inner", "second.inner"} & set(splits(Blocks(), images(1)))
    found = splits(Blocks(), images(1))
    assert "last" not in found["twice"].layers
    assert found["twice"].layers[-1] == "twice"


def test_layers_that_are_not_called_as_torch_s_own_lie_below_a_split_too() -> None:
    found = splits(Foreign(), images(1))
    assert list(found) == ["first", "read", "last"]
    assert (found["first"].layers, found["first"].privates) == (("first",), ("norm",))
    assert found["read"].layers == ("first", "read")
    work = [4 * 27 * 36, 4 * 36 * 16, 24]
    assert [split.work * sum(work) for split in found.values()] == [
        pytest.approx(sum(work[: i + 1])) for i in range(3)
    ]


@pytest.mark.parametrize("stem", ["first", "read"])
def test_a_stem_of_such_layers_is_the_base_s_own(stem: str) -> None:
    pack = packed(Foreign)
    teach(pack, "identity")
    learner = pack.learn("gender", head=head(), stem=stem)
    train(learner)
    base = pack.materialize("identity").backbone
    below, _ = segments(base, images(1), [stem])
    _, rest = learner.halves()
    assert torch.equal(rest.eval()(below.eval()(images())), learner.eval()(images()))
    assert not set(learner.freeze().private) & splits(base, images(1))[stem].keys(base.state_dict())


@pytest.mark.parametrize(
    "builder", [*NETWORKS.values(), Blocks, Foreign], ids=[*NETWORKS, "blocks", "foreign"]
)
def test_segments_after_one_another_compute_what_the_network_does(builder: Builder) -> None:
    network = builder(1.0).eval()
    names = list(splits(network, images(1)))
    parts = segments(network, images(1), names)
    assert len(parts) == len(names) + 1
    x = images()
    for part in parts:
        x = part(x)
    assert torch.equal(x, network(images()))


class ChangedLast(nn.Module):
    """Changes what it returns, by another name or after it was last read."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.first, self.last, self.how = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 6, 3), how

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.first(x)
        x.mul_(2)
        y = self.last(x).mean((2, 3))
        functional.relu(y, inplace=True)
        if self.how == "view":
            y[:, 1:].sub_(1)
        elif self.how == "other name":
            other = y
            other += x.mean()
        elif self.how == "of a view":
            viewed = y.view(-1, 2, 3)
            y.add_(1)
            return viewed.flatten(1)
        elif self.how == "not returned":
            doubled = y * 2
            y.add_(1)
            return doubled
        return y


CHANGED_LAST = ["method", "view", "other name", "of a view", "not returned"]


@pytest.mark.parametrize("how", CHANGED_LAST)
def test_what_is_returned_is_changed_once_and_after_the_last_split(how: str) -> None:
    network = ChangedLast(how).eval()
    traced = Traced(network, images(1))
    assert list(traced.splits) == ["first", *(["last"] if how != "other name" else [])]
    for count in range(len(traced.splits) + 1):
        x = images()
        for part in traced.segments(list(traced.splits)[:count]):
            x = part(x)
        assert torch.equal(x, network(images()))


@pytest.mark.parametrize("how", CHANGED_LAST)
def test_halves_of_a_network_that_changes_what_it_returns_compute_what_it_does(how: str) -> None:
    pack = packed(lambda _: ChangedLast(how))
    pack.learn("identity", head=head()).freeze()
    for name in pack.stems():
        learner = pack.learn("gender", head=head(), stem=name)
        stem, rest = learner.halves()
        kept = stem(images())
        for _ in range(2):  # what is kept stays as it was
            assert torch.equal(rest.eval()(kept), learner.eval()(images()))


def test_segments_share_the_layers_of_the_network() -> None:
    network = Blocks()
    stem, rest = segments(network, images(1), ["first"])
    theirs = {id(p) for part in (stem, rest) for p in part.parameters()}
    assert theirs == {id(p) for p in network.parameters()}


def test_one_trace_cuts_every_network_of_its_width() -> None:
    traced = Traced(Blocks(), images(1))
    for network in (Blocks().eval(), Blocks().eval()):
        stem, rest = traced.segments(["first"], network)
        assert torch.equal(rest.eval()(stem.eval()(images())), network(images()))
        theirs = {id(p) for part in (stem, rest) for p in part.parameters()}
        assert theirs == {id(p) for p in network.parameters()}


def test_what_follows_a_split_is_the_last_segment() -> None:
    network = Blocks().eval()
    traced = Traced(network, images(1))
    stem, rest = traced.segments(["first"])
    x = stem(images())
    assert torch.equal(traced.after("first", network)(x), rest(x))
    with pytest.raises(PackingError, match=r"'frist'.*did you mean 'first'"):
        traced.after("frist", network)


def test_segments_know_the_shapes_of_what_they_take_and_compute() -> None:
    for part in segments(Blocks(), images(1), ["first", "second"]):
        nodes = [node for node in part.graph.nodes if node.op != "output"]
        assert all(node.meta["shape"] is not None for node in nodes)
    first = next(iter(segments(Blocks(), images(1), [])[0].graph.nodes))
    assert first.meta["shape"] == tuple(images(1).shape)


def test_segments_refuse_what_does_not_exist_or_is_in_another_order() -> None:
    with pytest.raises(PackingError, match=r"'frist'.*did you mean 'first'"):
        segments(Blocks(), images(1), ["frist"])
    with pytest.raises(PackingError, match="do not follow one another"):
        segments(Blocks(), images(1), ["second", "first"])


def stemmed(**arguments: object) -> Pack:
    pack = packed(blocks)
    teach(pack, "identity")
    teach(pack, "gender", stem="first", **arguments)
    return pack


@pytest.mark.parametrize("sees", ["base", "all"])
def test_a_stem_computes_what_the_base_does_and_owns_nothing(sees: str) -> None:
    pack = packed(blocks)
    teach(pack, "identity")
    teach(pack, "age")
    teach(pack, "gender", stem="first", sees=sees)
    stem = pack.tasks["gender"].stem
    assert stem is not None
    assert stem.name == "first"
    slot = pack.tasks["gender"].slot
    for name, layer in pack.layers.items():
        assert bool((layer.owner == slot).any()) == (name not in stem.layers)
    below = [
        segments(pack.materialize(name).backbone, images(1), ["first"])[0].eval()(images())
        for name in ("identity", "gender")
    ]
    assert torch.equal(*below)
    check_owners(pack)


def test_the_base_norms_of_a_stem_do_not_move_while_a_task_is_learnt() -> None:
    pack = packed(blocks)
    teach(pack, "identity")
    learner = pack.learn("gender", head=head(), stem="first")
    before = {key: value.clone() for key, value in learner.backbone.state_dict().items()}
    train(learner, 3)
    after = learner.backbone.state_dict()
    own = {key for key in pack.layout.private if not torch.equal(before[key], after[key])}
    assert own == {key for key in pack.layout.private if not key.startswith(("stem.", "first."))}
    task = learner.freeze()
    assert set(task.private) == own


class Dropped(nn.Module):
    """One dropout for all layers, and an activation in place after it."""

    def __init__(self, _: float = 1.0) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 6, 3)
        self.dropout = nn.Dropout(0.5, inplace=True)
        self.relu = nn.LeakyReLU(0.2, inplace=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.dropout(self.first(self.dropout(x + 0)))
        return self.second(self.relu(y)).mean((2, 3))


def test_halves_keep_what_the_stem_gave_and_the_stem_is_constant() -> None:
    pack = packed(Dropped)
    teach(pack, "identity")
    learner = pack.learn("gender", head=head(), stem="first")
    stem, rest = learner.halves()
    kept = stem(images())
    before = kept.clone()
    rest.train()
    assert not torch.equal(rest(kept), rest(kept))
    assert torch.equal(kept, before)
    learner.train()
    assert torch.equal(stem(images()), before)
    assert torch.equal(rest.eval()(kept), learner.eval()(images()))


def test_a_stem_whose_norms_were_changed_is_not_frozen() -> None:
    pack = packed(blocks)
    teach(pack, "identity")
    learner = pack.learn("gender", head=head(), stem="first")
    torch.optim.swa_utils.update_bn([images() * 3], learner)
    with pytest.raises(PackingError, match=r"'stem\.1\.\w+' of task 'gender' .* in its stem;"):
        learner.freeze()
    assert list(pack.tasks) == ["identity"]


def test_adding_widening_and_removing_leave_tasks_with_a_stem_bit_identical() -> None:
    pack = stemmed()
    promise = Promise()
    promise.make(pack, "identity")
    promise.make(pack, "gender")
    learner = pack.learn("age", head=head(), stem="second", sees="all")
    train(learner)
    learned = outputs(learner)
    learner.freeze()
    promise.check_older(pack)
    assert torch.equal(outputs(pack.materialize("age")), learned)
    pack.remove("age")
    learner = pack.learn("pose", head=head(), stem="first")
    train(learner)
    before = outputs(learner)
    learner.widen((1.0, 1.5))
    assert torch.equal(outputs(learner), before)
    train(learner)
    learned = outputs(learner)
    learner.freeze()
    assert torch.equal(outputs(pack.materialize("pose")), learned)
    promise.check_older(pack)
    check_owners(pack)


def test_halves_compute_what_the_learner_does_and_train_it() -> None:
    pack = packed(blocks)
    teach(pack, "identity")
    learner = pack.learn("gender", head=head(), stem="first")
    stem, rest = learner.halves()
    kept = stem(images()).detach()
    assert torch.equal(rest.eval()(kept), learner.eval()(images()))
    assert not any(p.requires_grad for p in stem.parameters())
    optimizer = torch.optim.AdamW([p for p in rest.parameters() if p.requires_grad], lr=0.01)
    rest.train()
    rest(kept).square().sum().backward()
    optimizer.step()
    assert torch.equal(rest.eval()(kept), learner.eval()(images()))
    learned = learner(images())
    learner.freeze()
    assert torch.equal(pack.materialize("gender")(images()), learned)


def test_borrowed_norms_stay_the_base_s_above_a_stem_too() -> None:
    pack = packed(blocks)
    teach(pack, "identity")
    learner = pack.learn("gender", head=head(), stem="first", norms="base")
    _, rest = learner.halves()
    rest.train()
    assert not any(m.training for m in rest.modules() if isinstance(m, nn.BatchNorm2d))
    assert not learner.freeze().private


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"stem": "fist"}, "did you mean 'first'"),
        ({"stem": "first", "sees": "none"}, "which the task must see"),
    ],
    ids=["unknown", "unseen-base"],
)
def test_a_stem_that_cannot_be_is_refused(arguments: dict[str, str], message: str) -> None:
    pack = packed(blocks)
    teach(pack, "identity")
    with pytest.raises(PackingError, match=message):
        pack.learn("gender", head=head(), **arguments)


def test_an_empty_pack_has_no_stems() -> None:
    with pytest.raises(PackingError, match="has no task yet"):
        packed(blocks).stems()


def test_the_first_task_has_no_stem() -> None:
    with pytest.raises(PackingError, match="which the task must see"):
        packed(blocks).learn("identity", head=head(), stem="first")


def test_a_stem_needs_an_example() -> None:
    pack = Pack(Blocks())
    teach(pack, "identity")
    with pytest.raises(PackingError, match="example input"):
        pack.learn("gender", head=head(), stem="first")


def test_a_stem_is_as_wide_as_the_base_s() -> None:
    pack = stemmed()
    learner = pack.learn("age", head=head(), stem="first")
    with pytest.raises(PackingError, match=r"layer '(first|stem)\S+' in it has another width"):
        learner.widen((1.5, 1.5))
    wide = pack.learn("pose", head=head())
    wide.widen((1.5, 1.5))
    train(wide)
    wide.freeze()
    with pytest.raises(PackingError, match="in it has another width"):
        pack.learn("age", head=head(), stem="first")


def test_stems_end_before_what_has_grown() -> None:
    pack = packed(blocks)
    teach(pack, "identity")
    before = list(pack.stems())
    assert before == list(pack.splits())
    wide = pack.learn("pose", head=head(), stem="first")
    wide.widen((1.0, 1.5))
    wide.freeze()
    left = list(pack.stems())
    assert left == before[: before.index("first") + 1]
    for stem in left:
        pack.learn("age", head=head(), stem=stem)


def test_the_base_cannot_be_removed_from_under_a_stem() -> None:
    pack = stemmed()
    with pytest.raises(PackingError, match="in use by gender"):
        pack.remove("identity")


def test_a_network_of_which_everything_is_stem_leaves_a_task_its_head() -> None:
    pack = packed(batch_norm)
    teach(pack, "identity")
    last = list(pack.splits())[-1]
    learner = pack.learn("gender", head=head(), stem=last)
    assert learner.weights == 0
    train(learner)
    assert pack.splits()[last].work == 1.0
    assert not learner.freeze().private


class Multiplied(nn.Module):
    """Multiplies by its layers' weights itself."""

    def __init__(self, _: float = 1.0) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(3, 4), nn.Linear(4, 6)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.product(x.mean((2, 3)), self.first.weight).relu()
        return self.product(y, self.last.weight)

    def product(self, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        return x @ weight.T


class Summed(Multiplied):
    """Multiplies where nothing counts it."""

    def product(self, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        return (x[:, None] * weight).sum(2)


def test_work_is_told_by_the_given_network_though_the_first_task_was_widened() -> None:
    pack = packed(no_bias)
    for name, width in (("identity", 1.5), ("gender", 2.0)):
        learner = pack.learn(name, head=head())
        learner.widen(width)
        learner.freeze()
    # Both layers have a side that is as wide at any width.
    assert pack.own_work("identity") == pytest.approx(1.5)
    assert pack.own_work("gender") == pytest.approx(2)


def test_where_no_width_is_1_work_is_told_by_the_first_task() -> None:
    pack = packed(no_bias)
    for name, width in (("identity", 1.5), ("gender", 3.0)):
        learner = pack.learn(name, head=head())
        learner.widen(width)
        learner.freeze()
    del pack.widths[0]
    for task in pack.tasks.values():
        task.width -= 1
    assert pack.own_work("identity") == 1
    assert pack.own_work("gender") == pytest.approx(2)


@pytest.mark.parametrize(("network", "share"), [(Multiplied, 24 / 36), (Summed, 1)])
def test_work_is_that_of_all_products_and_the_whole_where_there_are_none(
    network: Builder, share: float
) -> None:
    pack = packed(network)
    teach(pack, "identity")
    teach(pack, "gender", stem=next(iter(pack.stems())))
    assert pack.own_work("gender") == pytest.approx(share)


def test_attention_is_work() -> None:
    class Attending(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.last = nn.Linear(8, 24), nn.Linear(8, 6)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            q, k, v = self.first(x.flatten(2)).unflatten(2, (3, 8)).unbind(2)
            attended = torch.nn.functional.scaled_dot_product_attention(q, k, v)
            return self.last(attended.mean(1))

    below, above = 5 * 8 * 24 + 2 * 5 * 5 * 8, 8 * 6
    found = splits(Attending(), torch.zeros(1, 5, 8))
    assert found["first"].work == pytest.approx(below / (below + above))
