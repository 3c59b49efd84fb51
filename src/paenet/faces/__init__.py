"""Faces in photographs: found by MTCNN, cut out as FaceNet has them, whole folders at a time."""

from paenet.faces.aligning import Report, align_folder
from paenet.faces.cropping import choose, crop
from paenet.faces.detector import Detector, Faces
from paenet.faces.errors import FacesError
from paenet.faces.framing import Framing
from paenet.faces.pixels import rgb
from paenet.faces.similarity import TEMPLATE, align, similarity

__all__ = [
    "TEMPLATE",
    "Detector",
    "Faces",
    "FacesError",
    "Framing",
    "Report",
    "align",
    "align_folder",
    "choose",
    "crop",
    "rgb",
    "similarity",
]
