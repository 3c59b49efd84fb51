"""The network that a run starts from: drawn from the seed or read, and seen to fit at once."""

from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import save_file
from torch import nn

from paenet import backbones, training
from paenet.packfile import BackboneSpec
from paenet.training.base import Base, base_of_pack, base_of_recipe, view_of
from paenet.training.errors import RecipeError, RunError
from paenet.training.examples.data import View
from tests.training import toys

FACES = Path("/faces.csv")


def wide_eyed(width: Any = 1.0) -> nn.Module:
    """Needs more than the toys' pictures."""
    return nn.Sequential(nn.Conv2d(3, 4, 20), nn.AdaptiveAvgPool2d(1), nn.Flatten())


def unpooled(width: Any = 1.0) -> nn.Module:
    """Returns maps, not features."""
    return nn.Sequential(nn.Conv2d(3, 4, 3))


def recipe(**keys: Any) -> training.Recipe:
    return toys.recipe(toys.task("a", FACES), **keys)


def bits(network: nn.Module) -> list[bytes]:
    return [tensor.numpy().tobytes() for tensor in network.state_dict().values()]


def test_without_weights_the_network_is_drawn_from_the_seed() -> None:
    one, again, other = (bits(base_of_recipe(recipe(seed=s)).network()) for s in (1, 1, 2))
    assert one == again != other


def test_given_weights_are_taken_over_bit_by_bit_and_named(tmp_path: Path) -> None:
    given, path = toys.tiny(), tmp_path / "given.safetensors"
    save_file(given.state_dict(), path)
    base = base_of_recipe(recipe(weights=str(path)))
    network = base.network()
    assert bits(network) == bits(given)
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())
    weights = base.about()["weights"]
    assert weights["name"] == "given.safetensors"
    assert len(weights["sha256"]) == 64


@pytest.mark.parametrize(
    "given", [{}, {"size": 40}, {"size": 40, "resize": 46, "mean": 0.0, "scale": 255.0}]
)
def test_what_a_recipe_does_not_say_of_the_view_the_backbone_says(given: dict[str, float]) -> None:
    info = backbones.info("small")
    base = base_of_recipe(recipe(backbone="small", input=given))
    said = {"size": info.size, "mean": info.mean, "scale": info.scale} | given
    assert base.view == View(**said)  # type: ignore[arg-type]
    assert view_of(base.about(), "pack.pae") == base.view
    assert base.about()["input"].keys() == said.keys()  # whole images are not spoken of


def test_images_must_be_as_large_as_what_is_cut_from_them() -> None:
    with pytest.raises(RecipeError, match=r"^input\.resize: 20 is less than the 40 pixels of"):
        base_of_recipe(recipe(backbone="small", input={"size": 40, "resize": 20}))


SEEN = {"size": 16, "mean": 0.0, "scale": 255.0}


@pytest.mark.parametrize(
    "about",
    [
        *({}, {"input": None}, {"input": {"size": 16, "mean": 0.0}}),
        *({"input": SEEN | {"size": "16"}}, {"input": SEEN | {"size": True}}),
        *({"input": SEEN | {"scale": 0}}, {"input": SEEN | {"mean": None}}),
        *({"input": SEEN | {"resize": 8}}, {"input": SEEN | {"resize": "18"}}),
    ],
)
def test_a_pack_that_does_not_say_what_its_networks_see_is_named(about: dict[str, Any]) -> None:
    with pytest.raises(RunError, match=r"^pack\.pae: does not say what its networks see"):
        base_of_pack(BackboneSpec(toys.BACKBONE, {}), about, None, 0, "pack.pae")


@pytest.mark.parametrize("weights", ["facenet", {"name": "facenet"}, {"name": 1, "sha256": "0"}])
def test_a_pack_that_says_no_weights_rightly_is_named(weights: object) -> None:
    about = {"input": SEEN, "weights": weights}
    with pytest.raises(RunError, match=r"^pack\.pae: does not say which weights it started from"):
        base_of_pack(BackboneSpec(toys.BACKBONE, {}), about, None, 0, "pack.pae")


def test_a_pack_of_random_values_takes_no_weights() -> None:
    about = {"input": SEEN, "weights": None}
    with pytest.raises(RunError, match=r"^pack\.pae: started from random values; leave --weights"):
        base_of_pack(BackboneSpec(toys.BACKBONE, {}), about, "given.safetensors", 0, "pack.pae")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("wide_eyed", r"input\.size: the backbone cannot take images of 16 pixels \(.*[Kk]ernel"),
        ("unpooled", r"the backbone returns \[1, 4, 14, 14\] for one image; it must return \(1, f"),
    ],
)
def test_a_network_that_cannot_be_used_is_refused_before_anything_is_read(
    name: str, message: str
) -> None:
    with pytest.raises(RunError, match=message):
        base_of_recipe(recipe(backbone=f"{__name__}:{name}"))


def test_code_of_the_users_own_is_handed_to_the_file_and_paenets_is_not() -> None:
    view = View(16, 127.5, 128.0)
    own, ours = (Base(0, BackboneSpec(n, {}), view, None, None) for n in (toys.BACKBONE, "small"))
    assert own.own_builder is not None
    assert ours.own_builder is None
