"""The network that a run starts from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from pydantic import ValidationError
from torch import Tensor, nn

from paenet import backbones
from paenet.errors import first_line
from paenet.packfile import BackboneSpec
from paenet.packing import Pack, seeded
from paenet.packing.widening import Builder, skeleton_of
from paenet.training.errors import RecipeError, RunError
from paenet.training.examples import View
from paenet.training.machine import derive
from paenet.training.recipe import Input, Recipe


@dataclass(frozen=True)
class Base:
    """The given network, and what a file says of it.

    Attributes:
        seed: of its random values, where it has no trained ones.
        spec: what builds it.
        view: how images become its input.
        source: a name or file of trained weights; None where it starts from random ones, or they
            are not at hand.
        weights: where its trained values come from, as JSON; None where it started from random.
        code: `module:callable` from the user's own hand, which builds it in place of what a file
            names; a file must not say which code runs.
    """

    seed: int
    spec: BackboneSpec
    view: View
    source: str | None
    weights: dict[str, Any] | None
    code: str | None = None

    @cached_property
    def state(self) -> dict[str, Tensor] | None:
        """Its trained values; None where it starts from random ones.

        Raises:
            WeightsError: where the file cannot be read or is of another network.
            RunError: where the network was trained, and its weights are not at hand or others.
        """
        if self.source is None:
            if self.weights is not None:
                raise RunError(
                    f"the dense network of {self.weights['name']!r} is needed; give its file with "
                    f"--weights (SHA-256 {self.weights['sha256'][:16]}…)"
                )
            return None
        state, found = backbones.read_weights(self.source)
        backbones.check_fits(state, self.build(1.0), found)
        if self.weights is not None and found.sha256 != self.weights["sha256"]:
            raise RunError(
                f"{found.file}: SHA-256 {found.sha256[:16]}…, but the pack started from "
                f"{self.weights['sha256'][:16]}… ({self.weights['name']}); give that file"
            )
        return state

    def build(self, width: Any) -> nn.Module:
        """The backbone at a width, with its own initialisation."""
        return backbones.create(self.code or self.spec.name, width=width, **self.spec.arguments)

    @cached_property
    def features(self) -> int:
        """How many features it returns for one image, at every width.

        Raises:
            RunError: where it cannot take images of the view's size, or returns something else.
        """
        return _features_of(skeleton_of(self.build(1.0)), self.view)

    @property
    def own_builder(self) -> Builder | None:
        """What a pack file needs to be read: the user's own code, None for paenet's backbones."""
        return None if self.spec.name in backbones.BACKBONES else self.build

    def pack(self) -> Pack:
        """A pack without tasks that holds the given network."""
        example = torch.zeros(1, 3, self.view.size, self.view.size)
        with seeded(self.seed):
            return Pack(self.build, example=example, weights=self.state)

    def network(self) -> nn.Module:
        """The given network itself: dense, in evaluation mode, not to be trained."""
        pack = self.pack()
        network = self.build(1.0)
        network.load_state_dict(pack.given())
        return network.eval().requires_grad_(False)

    def about(self) -> dict[str, Any]:
        """What a file keeps of it."""
        numbers = {"mean": float(self.view.mean), "scale": float(self.view.scale)}
        return {"input": self.view.said() | numbers, "weights": self.weights}


def base_of_recipe(recipe: Recipe) -> Base:
    """The network that a recipe names; its weights are read and checked at once.

    Raises:
        BackboneError, WeightsError: where there is no such network, or weights do not fit.
        RecipeError: as `View`.
    """
    spec = BackboneSpec(recipe.backbone.name, dict(recipe.backbone.arguments))
    info = backbones.info(spec.name)
    given = recipe.input
    view = View(
        given.size or info.size,
        info.mean if given.mean is None else given.mean,
        given.scale or info.scale,
        given.resize,
    )
    weights = None
    if recipe.weights is not None:
        _, found = backbones.read_weights(recipe.weights)
        weights = {key: getattr(found, key) for key in ("name", "source", "terms", "sha256")}
    base = Base(derive(recipe.seed, "backbone"), spec, view, recipe.weights, weights)
    # Read and tried now, so that a run that cannot start does not start.
    _ = base.state, base.features
    return base


def base_of_pack(
    spec: BackboneSpec,
    about: dict[str, Any],
    source: str | None,
    seed: int,
    path: object,
    code: str | None = None,
) -> Base:
    """The network that a pack started from; its weights are read when they are needed.

    Raises:
        RunError: as `view_of`; where the file does not say rightly which weights it started from,
            or `source` gives some to a pack that started from random values.
    """
    view, weights = view_of(about, path), about.get("weights")
    said = weights if isinstance(weights, dict) else {}
    if weights is not None and not all(isinstance(said.get(k), str) for k in ("name", "sha256")):
        raise RunError(
            f"{path}: does not say which weights it started from (about.weights: null, or name and "
            "sha256); packs made by `pae` do"
        )
    if weights is None and source is not None:
        raise RunError(f"{path}: started from random values; leave --weights away")
    return Base(derive(seed, "backbone"), spec, view, source, weights, code)


def _features_of(skeleton: nn.Module, view: View) -> int:
    """How many features a backbone without values returns for one image; see `Base.features`."""
    images = torch.empty(1, 3, view.size, view.size, device="meta")
    try:
        with torch.no_grad():
            output = skeleton.eval()(images)
    except Exception as error:  # whatever layers raise on an image that is too small for them
        reason = first_line(error)
        raise RunError(
            f"input.size: the backbone cannot take images of {view.size} pixels ({reason})"
        ) from error
    if not isinstance(output, Tensor) or output.dim() != 2:
        found = list(output.shape) if isinstance(output, Tensor) else type(output).__name__
        raise RunError(f"the backbone returns {found} for one image; it must return (1, features)")
    return int(output.shape[1])


def view_of(about: dict[str, Any], path: object) -> View:
    """How images become the input of a pack file's networks.

    Raises:
        RunError: where the file does not say it.
    """
    try:
        said = {key: about["input"][key] for key in ("size", "mean", "scale")}
        if None in said.values():
            raise KeyError
        said["resize"] = about["input"].get("resize")
        Input.model_validate(said, strict=True)
        return View(**said)
    except (AttributeError, KeyError, TypeError, ValidationError, RecipeError):
        raise RunError(
            f"{path}: does not say what its networks see (about.input: size, mean, scale); "
            "packs made by `pae` do"
        ) from None
