"""What a recipe says of the network and of the images that it sees."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from paenet import backbones
from paenet.datasets import Augment
from paenet.errors import PaenetError


class Section(BaseModel):
    """Keys that are all known, and values that never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Backbone(Section):
    """A backbone by name, or `module:callable` of your own, and its arguments."""

    name: str
    arguments: dict[str, Any] = Field(default_factory=dict)

    @field_validator("name")
    @classmethod
    def _known(cls, value: str) -> str:
        if ":" not in value:  # code of the user's own is imported when it is needed, not before
            or_value_error(backbones.info, value)
        return value

    @field_validator("arguments")
    @classmethod
    def _no_width(cls, value: dict[str, Any]) -> dict[str, Any]:
        if "width" in value:
            raise ValueError("the width is what a run widens; a recipe starts at 1")
        return value


class Augmentation(Section):
    """How training images vary; shares of the image side, degrees, and probabilities."""

    flip: float = Field(0.5, ge=0, le=1)
    zoom: tuple[float, float] = (0.9, 1.1)
    shift: float = Field(0.05, ge=0, le=0.5)
    rotate: float = Field(10.0, ge=0, le=180)
    brightness: float = Field(0.2, ge=0, le=1)
    contrast: float = Field(0.2, ge=0, le=1)
    grey: float = Field(0.1, ge=0, le=1)
    erase: float = Field(0.0, ge=0, le=1)

    @field_validator("zoom")
    @classmethod
    def _a_range(cls, value: tuple[float, float]) -> tuple[float, float]:
        if not 0 < value[0] <= value[1]:
            raise ValueError(f"{list(value)} is no range; give [low, high], 0 < low <= high")
        return value

    def settings(self) -> Augment:
        return Augment(**self.model_dump())


class Input(Section):
    """What the networks see. None takes the backbone's own; `resize` as much as `size`.

    Images are scaled to `resize` pixels, of which the central `size` are seen, or in training
    `size` anywhere.
    """

    size: int | None = Field(None, ge=8, le=1024)
    resize: int | None = Field(None, ge=8, le=1024)
    mean: float | None = None
    scale: float | None = Field(None, gt=0)
    augment: Augmentation = Augmentation()
    max_broken: float = Field(0.01, ge=0, le=1, description="share of images that may be broken")


class Activations(Section):
    """What stems make of training images: computed once and kept in the cache.

    `views` of each image: as it is, mirrored, then augmented; fewer where a task's would take more
    than `gigabytes`.
    """

    views: int = Field(2, ge=1, le=64)
    gigabytes: float = Field(8.0, ge=0)


def or_value_error(check: Callable[..., object], *arguments: Any, **keywords: Any) -> None:
    """Calls `check`; its complaint becomes one of pydantic's, which knows the key."""
    try:
        check(*arguments, **keywords)
    except PaenetError as error:
        raise ValueError(str(error)) from None
