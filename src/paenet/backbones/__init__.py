"""Networks to pack, by name, at any width, and trained weights for them."""

from paenet.backbones.entry import BackboneInfo
from paenet.backbones.errors import BackboneError, WeightsError
from paenet.backbones.inception_resnet import InceptionResnetV1
from paenet.backbones.levi_hassner import LeviHassner
from paenet.backbones.lmtcnn import LMTCNN
from paenet.backbones.pretrained import PRETRAINED, Pretrained, cached, fetch
from paenet.backbones.registry import BACKBONES, create, info, names
from paenet.backbones.small import Small
from paenet.backbones.vgg import VGG16BN
from paenet.backbones.weights import WeightsInfo, check_fits, load_weights, read_weights
from paenet.backbones.width import Width, channels

__all__ = [
    "BACKBONES",
    "LMTCNN",
    "PRETRAINED",
    "VGG16BN",
    "BackboneError",
    "BackboneInfo",
    "InceptionResnetV1",
    "LeviHassner",
    "Pretrained",
    "Small",
    "WeightsError",
    "WeightsInfo",
    "Width",
    "cached",
    "channels",
    "check_fits",
    "create",
    "fetch",
    "info",
    "load_weights",
    "names",
    "read_weights",
]
