"""How faces are cut out of photographs: one choice for a whole folder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from paenet.faces.cropping import MarginIn, Which, check_choice, check_framing, choose, crop
from paenet.faces.detector import Faces, check_min_face
from paenet.faces.pixels import Pixels
from paenet.faces.similarity import align

Method = Literal["crop", "similarity"]
Format = Literal["png", "jpg", "webp"]


@dataclass(frozen=True, slots=True)
class Framing:
    """Which faces are cut out, how, and into what.

    Attributes:
        method: `crop`: by the box; `similarity`: by the five landmarks, onto ArcFace's template.
        size: of the square crops, in pixels.
        margin, margin_in: as `crop` has them; `similarity` has none.
        faces: which of a photograph's, as `choose` has it.
        format: of the files; png and webp keep every pixel, jpg is of quality 95.
        min_face: the smallest face's shorter side, in pixels of the photograph.

    Raises:
        FacesError: where a value is not one of these or out of its range.
    """

    method: Method = "crop"
    size: int = 160
    margin: float = 14
    margin_in: MarginIn = "crop"
    faces: Which = "central"
    format: Format = "png"
    min_face: float = 20

    def __post_init__(self) -> None:
        check_choice("method", self.method, Method)
        check_choice("faces", self.faces, Which)
        check_choice("format", self.format, Format)
        check_framing(self.size, self.margin if self.method == "crop" else 0, self.margin_in)
        check_min_face(self.min_face)

    def choose(self, faces: Faces, pixels: Pixels) -> Faces:
        """The faces to cut out of a photograph."""
        return choose(faces, pixels.shape[0], pixels.shape[1], self.faces)

    def cut(self, pixels: Pixels, faces: Faces, row: int) -> Pixels:
        """One face as `(size, size, 3)`.

        Raises:
            FacesError: as `crop` and `align`.
        """
        if self.method == "similarity":
            return align(pixels, faces.landmarks[row], self.size)
        return crop(pixels, faces.boxes[row], self.size, self.margin, margin_in=self.margin_in)

    @property
    def saving(self) -> dict[str, Any]:
        """Pillow's arguments for a crop's file."""
        kinds: dict[str, dict[str, Any]] = {
            "png": {"format": "PNG"},
            "jpg": {"format": "JPEG", "quality": 95, "subsampling": 0},
            "webp": {"format": "WEBP", "lossless": True},
        }
        return kinds[self.format]
