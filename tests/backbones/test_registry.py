"""What every backbone promises, held against each by its being registered; and users' own."""

import sys
from pathlib import Path

import pytest
import torch
from torch import fx, nn

from paenet import backbones
from paenet.backbones import BackboneError, BackboneInfo, Width
from paenet.packing.channels.provenance import trace
from paenet.packing.layout import layout_of

NARROW = 0.1  # what a backbone promises it promises at any width, and this one is quick

every_backbone = pytest.mark.parametrize("name", backbones.names())


def batch(name: str, count: int = 2) -> torch.Tensor:
    size = backbones.info(name).size
    return torch.randn(count, 3, size, size)


@every_backbone
def test_an_entry_says_what_its_backbone_is(name: str) -> None:
    entry = backbones.info(name)
    assert entry.name == name
    assert (entry.mean, entry.scale) == (127.5, 128.0)
    assert isinstance(backbones.create(name, width=NARROW), nn.Module)


@every_backbone
@pytest.mark.parametrize("width", [0.5, 1.0, 1.5, {"*": 0.7}], ids=str)
def test_the_output_keeps_its_size_at_any_width(name: str, width: Width) -> None:
    with torch.device("meta"):
        network = backbones.create(name, width=width).eval()
        assert network(batch(name)).shape == (2, backbones.info(name).features)


@every_backbone
def test_a_wider_backbone_has_more_weights(name: str) -> None:
    with torch.device("meta"):
        sizes = [
            sum(p.numel() for p in backbones.create(name, width=width).parameters())
            for width in (0.5, 1.0, 1.5)
        ]
    assert sizes[0] < sizes[1] < sizes[2]


@every_backbone
def test_a_backbone_is_made_of_layers_that_can_be_packed(name: str) -> None:
    layout = layout_of(backbones.create(name, width=NARROW))
    state = set(backbones.create(name, width=NARROW).state_dict())
    assert {f"{layer}.weight" for layer in layout.packed} | set(layout.private) == state


@every_backbone
def test_a_backbone_traced_by_fx_computes_the_same(name: str) -> None:
    network = backbones.create(name, width=NARROW).eval()
    images = batch(name)
    with torch.no_grad():
        assert torch.equal(fx.symbolic_trace(network)(images), network(images))


@every_backbone
def test_a_backbone_can_widen_without_changing_what_it_computes(name: str) -> None:
    narrow = backbones.create(name, width=NARROW).double().eval()
    wide = backbones.create(name, width=NARROW * 1.5).double().eval()
    images = batch(name).double()
    maps = trace(narrow, wide, images)
    state = wide.state_dict()
    for key, value in narrow.state_dict().items():
        state[key] = maps[key.rpartition(".")[0]].place(value, state[key])
    wide.load_state_dict(state)
    with torch.no_grad():
        torch.testing.assert_close(wide(images), narrow(images), rtol=1e-9, atol=1e-12)


@every_backbone
def test_a_backbone_learns_in_training_mode(name: str) -> None:
    network = backbones.create(name, width=NARROW).train()
    network(batch(name)).square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


@every_backbone
def test_the_same_seed_gives_the_same_network(name: str) -> None:
    states = []
    for _ in range(2):
        torch.manual_seed(3)
        states.append(backbones.create(name, width=NARROW).state_dict())
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])


@every_backbone
def test_an_argument_that_does_not_exist_is_refused_with_the_nearest(name: str) -> None:
    with pytest.raises(BackboneError, match=rf"{name}.* has no argument 'widht'"):
        backbones.create(name, widht=2.0)


def test_an_unknown_backbone_is_refused_with_the_nearest() -> None:
    with pytest.raises(BackboneError, match=r"'inception-resnet' .* mean 'inception-resnet-v1'"):
        backbones.create("inception-resnet")


def test_a_value_out_of_range_ends_in_one_line_that_names_backbone_and_argument() -> None:
    with pytest.raises(BackboneError, match=r"^backbone 'small': features: 0 is not") as caught:
        backbones.create("small", features=0)
    assert "\n" not in str(caught.value)
    with pytest.raises(BackboneError, match=r"^backbone 'vgg16-bn': .*dropout=2"):
        backbones.create("vgg16-bn", dropout=2)


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a module of the user's in the current directory."""
    (tmp_path / "own_networks.py").write_text(
        "from torch import nn\n"
        "from paenet.backbones import BackboneInfo\n"
        "def line(width=1.0, features=4):\n"
        "    return nn.Sequential(nn.Flatten(), nn.Linear(12, round(8 * width)),\n"
        "                         nn.Linear(round(8 * width), features))\n"
        "def needy(width, depth):\n"
        "    return nn.Linear(depth, 1)\n"
        "def text(width=1.0):\n"
        "    return 'no network'\n"
        "def broken(width=1.0):\n"
        "    raise RuntimeError('out of\\nluck')\n"
        "def narrow(features=4):\n"
        "    return nn.Linear(1, features)\n"
        "class Kinds:\n"
        "    line = staticmethod(line)\n"
        "LINE = BackboneInfo('line', line, size=2, mean=0.0, scale=255.0, features=4)\n"
        "NUMBER = 3\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "own_networks", raising=False)
    return "own_networks"


def test_a_builder_of_ones_own_in_the_current_directory_is_found(own: str) -> None:
    before = list(sys.path)
    network = backbones.create(f"{own}:line", width=2.0, features=3)
    assert network[1].out_features == 16
    assert network(torch.zeros(1, 3, 2, 2)).shape == (1, 3)
    assert sys.path == before


def test_a_builder_within_a_class_is_found(own: str) -> None:
    assert isinstance(backbones.create(f"{own}:Kinds.line"), nn.Module)


def test_an_entry_of_ones_own_says_what_its_input_is(own: str) -> None:
    entry = backbones.info(f"{own}:LINE")
    assert isinstance(entry, BackboneInfo)
    assert (entry.size, entry.mean, entry.scale, entry.features) == (2, 0.0, 255.0, 4)
    assert isinstance(backbones.create(f"{own}:LINE"), nn.Module)


def test_a_bare_builder_of_ones_own_gets_the_documented_input(own: str) -> None:
    entry = backbones.info(f"{own}:line")
    assert (entry.size, entry.mean, entry.scale, entry.features) == (224, 127.5, 128.0, None)


@pytest.mark.parametrize(
    ("what", "arguments", "message"),
    [
        ("lime", {}, "'lime' is missing; did you mean 'line'"),
        ("line", {"feature": 3}, "no argument 'feature'; did you mean 'features'"),
        ("needy", {}, "needs the argument 'depth'"),
        ("text", {}, "returned something of type str"),
        ("broken", {}, r"building it with its defaults failed \(RuntimeError: out of\)"),
        ("narrow", {}, "no argument 'width'; it must take the width"),
        ("NUMBER", {}, "is no builder but of type int; name a function of the width"),
        ("line()", {}, "is not module:callable"),
        ("", {}, "is not module:callable"),
    ],
)
def test_what_is_wrong_with_a_builder_of_ones_own_is_said_in_one_line(
    own: str, what: str, arguments: dict[str, int], message: str
) -> None:
    with pytest.raises(BackboneError, match=message) as caught:
        backbones.create(f"{own}:{what}", **arguments)
    assert "\n" not in str(caught.value)
    assert f"{own}:{what}" in str(caught.value)


@pytest.mark.parametrize("source", ["import nowhere_to_be_found", "def (", "1 / 0"])
def test_a_module_that_cannot_be_imported_is_named_with_the_reason(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_networks.py").write_text(source)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BackboneError, match="importing 'broken_networks' failed") as caught:
        backbones.create("broken_networks:line")
    assert "\n" not in str(caught.value)
