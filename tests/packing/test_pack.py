"""A pack of tasks: what it holds, what it refuses, and the plain networks that it gives."""

import copy
from collections.abc import Callable
from typing import Literal

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize

from paenet.packing import Learner, Pack, PackingError
from tests.packing.networks import (
    CLASSES,
    FEATURES,
    NETWORKS,
    Builder,
    Promise,
    batch_norm,
    check_owners,
    grouped,
    head,
    images,
    outputs,
    packed,
    prelu,
    teach,
    train,
)


def one_layer() -> nn.Module:
    return nn.Linear(2, 2)


class Twice(nn.Module):
    """One layer called in two places."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, padding=1)
        self.again = nn.Conv2d(4, 4, 3, padding=1)
        self.last = nn.Linear(4, FEATURES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.again(torch.relu(self.again(torch.relu(self.first(x)))))
        return self.last(x.mean((2, 3)))


def without_statistics() -> nn.Module:
    network = batch_norm(1.0)
    network[1] = nn.BatchNorm2d(6, track_running_stats=False)
    return network


def without_affine() -> nn.Module:
    network = batch_norm(1.0)
    network[1] = nn.BatchNorm2d(6, affine=False)
    network[4] = nn.BatchNorm2d(8, affine=False, track_running_stats=False)
    return network


def transposed() -> nn.Module:
    network = batch_norm(1.0)
    weight = network[3].weight
    weight.data = weight.data.transpose(0, 3).contiguous().transpose(0, 3)
    assert not weight.is_contiguous()
    return network


def flat_linear() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(192, FEATURES))


ODD: dict[str, Callable[[], nn.Module]] = {
    "float64": lambda: batch_norm(1.0).double(),
    "bfloat16": lambda: grouped(1.0).to(torch.bfloat16),
    "channels-last": lambda: batch_norm(1.0).to(memory_format=torch.channels_last),
    "not-contiguous": transposed,
    "no-gradients": lambda: prelu(1.0).requires_grad_(False),
    "evaluation-mode": lambda: batch_norm(1.0).eval(),
    "no-running-statistics": without_statistics,
    "no-affine": without_affine,
    "called-twice": Twice,
    "instance-norm": lambda: nn.Sequential(
        nn.InstanceNorm2d(3, affine=True, track_running_stats=True), *batch_norm(1.0)
    ),
    "one-layer": flat_linear,
}


@pytest.mark.parametrize("build", ODD.values(), ids=ODD)
def test_odd_networks_keep_the_law(build: Callable[[], nn.Module]) -> None:
    pack = Pack(build())
    promise = Promise()
    dtype = next(iter(pack.layers.values())).theta.dtype
    for name, sees in (("identity", "base"), ("gender", "base"), ("age", "all"), ("pose", "none")):
        learner = pack.learn(name, head=head().to(dtype), sees=sees)
        assert all(module.training for module in learner.modules())
        before = [theta.detach().clone() for theta, _ in learner.owned().values()]
        train(learner)
        assert any(
            not torch.equal(theta, old)
            for (theta, _), old in zip(learner.owned().values(), before, strict=True)
        ), "nothing was learnt"
        learner.prune(to=0.5)
        learned = outputs(learner)
        learner.freeze()
        promise.make(pack, name)
        assert torch.equal(promise.made[name][1], learned)
        assert learned.dtype == dtype
        promise.check(pack)
        check_owners(pack)
    pack.remove("age")
    promise.release("age")
    promise.check(pack)


def test_a_backbone_may_be_one_layer() -> None:
    pack = Pack(lambda width: nn.Linear(4, 3), example=torch.zeros(1, 4))
    for name in ("identity", "gender"):
        learner = pack.learn(name, head=nn.Identity())
        learner(torch.ones(2, 4)).sum().backward()
        assert next(iter(learner.owned().values()))[0].grad is not None
        learner.prune(to=0.5)
        learner.freeze()
    assert [pack.weights(name) for name in pack.tasks] == [6, 3]
    assert isinstance(pack.materialize("gender").backbone, nn.Linear)


def test_a_pack_starts_free_and_with_the_given_network() -> None:
    network = batch_norm(1.0)
    pack = Pack(network)
    assert pack.tasks == {}
    assert pack.base is None
    assert not any(layer.owner.any() for layer in pack.layers.values())
    learner = pack.learn("identity", head=nn.Identity())
    assert torch.equal(outputs(learner), outputs(network))


def test_a_pack_shares_nothing_with_the_network_it_was_made_from() -> None:
    network = batch_norm(1.0)
    pack = Pack(network)
    before = copy.deepcopy(network)
    for tensor in network.state_dict().values():
        tensor.fill_(3)
    learner = pack.learn("identity", head=nn.Identity())
    assert torch.equal(outputs(learner), outputs(before))
    train(nn.Sequential(learner, head()))
    assert (network[0].weight == 3).all()


def test_a_task_given_up_leaves_the_given_network_as_it_was() -> None:
    network = batch_norm(1.0)
    pack = Pack(network)
    train(pack.learn("identity", head=head()))
    assert torch.equal(outputs(pack.learn("identity", head=nn.Identity())), outputs(network))


def test_the_given_network_is_no_longer_had_from_a_pack_with_a_task() -> None:
    pack = packed(batch_norm)
    given = pack.given()
    teach(pack, "identity")
    with pytest.raises(PackingError, match=r"keep `pack\.given\(\)`, .* before the first task"):
        pack.given()
    pack.learn("gender", head=head()).warm_start(given)


def test_weights_may_be_given_beside_the_builder() -> None:
    trained = batch_norm(1.0)
    pack = Pack(batch_norm, weights=trained.state_dict())
    assert torch.equal(outputs(pack.learn("identity", head=nn.Identity())), outputs(trained))


@pytest.mark.parametrize("builder", NETWORKS.values(), ids=NETWORKS)
def test_a_materialised_task_is_a_plain_module(builder: Builder) -> None:
    pack = packed(builder)
    teach(pack, "identity")
    teach(pack, "gender")
    network = pack.materialize("gender")
    assert [name for name, _ in network.named_children()] == ["backbone", "head"]
    for module in network.modules():
        assert not parametrize.is_parametrized(module)
        hooks = [value for key, value in vars(module).items() if key.endswith("_hooks")]
        assert not any(hooks)
        assert not module.training
    assert set(network.backbone.state_dict()) == set(builder(1.0).state_dict())
    assert all(type(p) is nn.Parameter and p.requires_grad for p in network.parameters())
    assert torch.equal(outputs(copy.deepcopy(network)), outputs(network))


def test_a_materialised_task_can_be_exported() -> None:
    pack = packed(NETWORKS["residual"])
    teach(pack, "identity")
    network = pack.materialize("identity")
    exported = torch.export.export(network, (images(),)).module()
    assert torch.equal(exported(images(seed=7)), outputs(network))


def test_a_materialised_task_shares_no_storage_with_the_pack_or_another() -> None:
    pack = packed(batch_norm)
    teach(pack, "identity")
    teach(pack, "gender", norms="base")
    promise = Promise()
    for name in pack.tasks:
        promise.make(pack, name)
    for name in pack.tasks:
        for tensor in pack.materialize(name).state_dict().values():
            tensor.fill_(7)
    promise.check(pack)


def test_a_materialised_task_can_be_trained_on() -> None:
    pack = packed(batch_norm)
    teach(pack, "identity")
    network = pack.materialize("identity")
    before = outputs(network)
    train(network)
    assert not torch.equal(outputs(network), before)


def test_a_removed_tasks_weights_and_slot_are_used_again() -> None:
    pack = packed(batch_norm)
    teach(pack, "identity", prune=0.6)
    teach(pack, "gender", prune=0.0)
    slot, weights = pack.tasks["gender"].slot, pack.weights("gender")
    assert weights > 0
    assert pack.learn("age", head=head()).weights == 0
    pack.remove("gender")
    check_owners(pack)
    assert teach(pack, "age", prune=0.0).weights == weights
    assert pack.tasks["age"].slot == slot


def test_an_emptied_pack_learns_anew_from_the_backbones_own_initialisation() -> None:
    pack = packed(batch_norm)
    teach(pack, "identity")
    pack.remove("identity")
    assert pack.base is None
    learner = pack.learn("gender", head=head(), sees="base")
    assert learner.sees == ()
    assert all(theta.any() for theta, _ in learner.owned().values())
    assert learner.weights == pack.weights()


def test_a_task_without_norms_and_weights_of_its_own_is_a_head_on_the_base() -> None:
    pack = packed(batch_norm)
    teach(pack, "identity")
    learner = pack.learn("gender", head=head(), norms="base", claims="none")
    train(learner, 3)
    task = learner.freeze()
    assert pack.weights("gender") == 0
    assert task.private == {}
    base, other = pack.materialize("identity").backbone, pack.materialize("gender").backbone
    assert torch.equal(outputs(base), outputs(other))


def test_a_task_sees_those_that_it_names_and_no_other() -> None:
    pack = packed(batch_norm)
    for name in ("identity", "gender", "age"):
        teach(pack, name)
    assert pack.tasks["age"].sees == ("identity",)
    learner = teach(pack, "expression", sees=["gender"], prune=0.0)
    assert learner.sees == ("gender",)
    slots = [pack.tasks[name].slot for name in ("gender", "expression")]
    network = pack.materialize("expression").backbone
    for name, layer in pack.layers.items():
        ours = torch.isin(layer.owner, torch.tensor(slots))
        assert torch.equal(network.get_submodule(name).weight, layer.theta * ours)


def test_a_copied_pack_goes_its_own_way() -> None:
    pack = packed(batch_norm)
    teach(pack, "identity")
    promise = Promise()
    promise.make(pack, "identity")
    twin = copy.deepcopy(pack)
    teach(twin, "gender")
    promise.check(pack)
    teach(pack, "age", prune=0.3)
    assert set(twin.tasks) == {"identity", "gender"}
    twin.remove("gender")
    promise.check(twin)


def test_a_pack_holds_255_tasks_and_refuses_one_more() -> None:
    pack = Pack(one_layer())
    for i in range(255):
        pack.learn(f"task-{i}", head=nn.Identity(), claims="none").freeze()
    assert sorted(task.slot for task in pack.tasks.values()) == list(range(1, 256))
    with pytest.raises(PackingError, match="the pack holds 255 tasks"):
        pack.learn("one more", head=nn.Identity())
    pack.remove("task-99")
    learner = pack.learn("one more", head=nn.Identity())
    assert learner.freeze().slot == 100


def hooked(module: nn.Module) -> nn.Module:
    module.register_forward_hook(lambda module, inputs, output: 10 * output)
    return module


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"name": "identity"}, "task 'identity' is in the pack already"),
        ({"name": ""}, "task '': give a name of printable characters"),
        ({"name": "a\n"}, r"task 'a\\n': give a name of printable characters"),
        ({"name": 3}, "task 3: give a name of printable characters"),
        ({"sees": "gender"}, "sees='gender': give base, all, none, or a list"),
        ({"sees": ["identiti"]}, r"no task 'identiti' in the pack; did you mean 'identity'\?"),
        ({"norms": "bases"}, "norms='bases': give own or base"),
        ({"claims": "all"}, "claims='all': give free, new or none"),
        ({"head": None}, "head=None: give a torch module"),
        ({"head": hooked(head())}, "the head has hooks, which a pack cannot keep; remove them"),
        ({"head": nn.Sequential(hooked(head()))}, "the head's layer '0' has hooks"),
    ],
)
def test_learning_refuses_what_it_does_not_know(arguments: dict[str, object], named: str) -> None:
    pack = packed(batch_norm)
    teach(pack, "identity")
    with pytest.raises(PackingError, match=named) as caught:
        pack.learn(**{"name": "gender", "head": head(), **arguments})
    assert "\n" not in str(caught.value)


def replaced(learner: Learner) -> None:
    learner.backbone.set_submodule("2", nn.Tanh())


def added(learner: Learner) -> None:
    learner.backbone.append(nn.Tanh())


def deleted(learner: Learner) -> None:
    del learner.backbone[2]


def normed(learner: Learner) -> None:
    parametrizations.spectral_norm(learner.backbone[0])


def diverged(learner: Learner) -> None:
    theta, _ = learner.owned()["0"]
    theta.data.view(-1)[0] = torch.nan


def diverged_norm(learner: Learner) -> None:
    learner.backbone[1].running_var[0] = torch.inf


def diverged_head(learner: Learner) -> None:
    learner.head.weight.data[0] = torch.nan


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (replaced, "module '2' of the backbone is Tanh now"),
        (added, "module '[0-9]+' of the backbone is Tanh now"),
        (deleted, "of the backbone is"),
        (normed, "layer '0' has parametrisations besides the pack's"),
        (diverged, r"task 'gender': backbone\.0\.weight holds values that are not finite"),
        (diverged_norm, r"backbone\.1\.running_var holds values that are not finite"),
        (diverged_head, r"head\.weight holds values that are not finite"),
    ],
)
def test_what_a_pack_cannot_keep_is_refused_and_nothing_is_changed(
    spoil: Callable[[Learner], None], named: str
) -> None:
    pack = packed(batch_norm)
    teach(pack, "identity")
    before = pack.fingerprint("identity")
    learner = pack.learn("gender", head=head())
    spoil(learner)
    with pytest.raises(PackingError, match=named):
        learner.freeze()
    assert list(pack.tasks) == ["identity"]
    assert pack.fingerprint("identity") == before


def test_a_head_that_never_ran_is_refused() -> None:
    learner = packed(batch_norm).learn("identity", head=nn.LazyLinear(2))
    with pytest.raises(PackingError, match=r"head\.weight has no shape yet; run the learner"):
        learner.freeze()


def test_norms_may_be_synchronised_over_processes() -> None:
    pack = packed(batch_norm)
    learner = pack.learn("identity", head=head())
    learner.backbone = nn.SyncBatchNorm.convert_sync_batchnorm(learner.backbone)
    learner.freeze()
    assert type(pack.materialize("identity").get_submodule("backbone.1")) is nn.BatchNorm2d


@pytest.mark.parametrize("claims", ["none", "new"])
def test_the_first_task_claims_everything(claims: Literal["none", "new"]) -> None:
    pack = packed(batch_norm)
    learner = pack.learn("identity", head=nn.Identity(), claims=claims)
    x = images()
    given = learner.eval()(x)
    learner.freeze()
    assert pack.weights("identity") == pack.weights()
    assert torch.equal(pack.materialize("identity")(x), given)


def test_names_of_seen_tasks_may_come_one_by_one() -> None:
    pack = packed(batch_norm)
    teach(pack, "identity")
    teach(pack, "gender")
    assert pack.learn("age", head=head(), sees=iter(["gender"])).sees == ("gender",)


def test_a_copy_of_both_has_a_pack_of_its_own() -> None:
    pack = packed(batch_norm)
    teach(pack, "identity")
    learner, twin = copy.deepcopy((pack.learn("gender", head=head()), pack))
    assert twin is not pack
    learner.freeze()
    assert "gender" in pack.tasks
    assert "gender" not in twin.tasks


def test_a_task_may_be_frozen_in_inference_mode() -> None:
    pack = packed(batch_norm)
    learner = pack.learn("identity", head=head())
    with torch.inference_mode():
        learner.freeze()
    pack.remove("identity")
    assert not pack.tasks


def test_the_bases_norms_need_a_base() -> None:
    with pytest.raises(PackingError, match="norms='base' needs a base"):
        packed(batch_norm).learn("identity", head=head(), norms="base")


def test_a_task_in_use_is_not_removed() -> None:
    pack = packed(batch_norm)
    teach(pack, "identity")
    teach(pack, "gender")
    teach(pack, "age", sees=["gender"])
    teach(pack, "pose", sees="none", norms="base")
    with pytest.raises(PackingError, match=r"'identity' is in use by gender, pose; remove these"):
        pack.remove("identity")
    with pytest.raises(PackingError, match=r"'gender' is in use by age"):
        pack.remove("gender")
    assert list(pack.tasks) == ["identity", "gender", "age", "pose"]


@pytest.mark.parametrize("call", ["remove", "materialize", "fingerprint", "weights"])
def test_an_unknown_task_is_refused_and_the_nearest_offered(call: str) -> None:
    pack = packed(batch_norm)
    teach(pack, "identity")
    with pytest.raises(PackingError, match=r"no task 'identty' in the pack; did you mean"):
        getattr(pack, call)("identty")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda s: s.pop("3.weight"), "'3.weight' is missing"),
        (lambda s: s.update(logits=torch.zeros(1)), "has no tensor 'logits'"),
        (lambda s: s.update({"3.weight": torch.zeros(1)}), r"'3.weight' has shape \[1\]"),
    ],
)
def test_weights_that_do_not_fit_are_refused(
    change: Callable[[dict[str, Tensor]], object], named: str
) -> None:
    state = batch_norm(1.0).state_dict()
    change(state)
    with pytest.raises(PackingError, match=named):
        Pack(batch_norm, weights=state)


def test_a_builder_that_builds_no_module_is_refused() -> None:
    with pytest.raises(PackingError, match="the builder returned a float"):
        Pack(lambda width: width)


def test_heads_are_kept_as_they_were_when_the_task_was_frozen() -> None:
    pack = packed(batch_norm)
    shared = nn.Linear(FEATURES, CLASSES)
    pack.learn("identity", head=shared).freeze()
    before = pack.fingerprint("identity")
    shared.weight.data.zero_()
    assert pack.fingerprint("identity") == before


def test_a_pack_s_parts_are_shown_without_their_tensors() -> None:
    pack = packed(batch_norm)
    teach(pack, "base")
    shown = repr((pack.tasks, pack.layers, pack.widths))
    assert "tensor(" not in shown
    assert "name='base', slot=1" in shown
