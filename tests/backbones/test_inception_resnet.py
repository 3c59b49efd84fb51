import csv
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from paenet import backbones
from paenet.backbones import InceptionResnetV1, WeightsError

MIB = 2**20
FACENET = Path("weights/facenet_vggface2_512.safetensors")


def dense_mib(network: torch.nn.Module) -> float:
    """Size in the paper's accounting: four bytes for each parameter."""
    return 4 * sum(p.numel() for p in network.parameters()) / MIB


def test_the_dense_network_has_the_size_of_the_paper() -> None:
    with torch.device("meta"):
        assert round(dense_mib(InceptionResnetV1()), 1) == 89.6


def test_the_keys_are_those_of_facenet_pytorch() -> None:
    with torch.device("meta"):
        keys = InceptionResnetV1().state_dict().keys()
    tensors = [key for key in keys if not key.endswith("num_batches_tracked")]
    assert len(tensors) == 602
    assert {
        "conv2d_1a.conv.weight",
        "conv2d_4b.bn.running_var",
        "repeat_1.4.branch2.2.conv.weight",
        "repeat_2.9.conv2d.bias",
        "mixed_6a.branch0.bn.weight",
        "mixed_7a.branch2.2.conv.weight",
        "repeat_3.0.branch1.2.bn.bias",
        "block8.conv2d.weight",
        "last_linear.weight",
        "last_bn.running_mean",
    } <= keys


def test_the_last_block_ends_without_relu() -> None:
    network = InceptionResnetV1(width=0.1).eval()
    seen: list[torch.Tensor] = []
    for block in (network.repeat_3[-1], network.block8):
        block.register_forward_hook(lambda *call: seen.append(call[-1]))
    with torch.no_grad():
        network(torch.randn(1, 3, 96, 96))
    assert seen[0].min() >= 0 > seen[1].min()


def test_embeddings_are_of_unit_length() -> None:
    embeddings = InceptionResnetV1.embed(torch.randn(5, 512))
    torch.testing.assert_close(embeddings.norm(dim=1), torch.ones(5))


def test_a_width_per_layer_moves_that_layer_only() -> None:
    with torch.device("meta"):
        usual = InceptionResnetV1().state_dict()
        wide = InceptionResnetV1(width={"repeat_2.3.branch0": 2.0}).state_dict()
    changed = {key for key in usual if usual[key].shape != wide[key].shape}
    assert wide["repeat_2.3.branch0.conv.weight"].shape[0] == 256
    assert {key.rpartition(".")[0] for key in changed} == {
        "repeat_2.3.branch0.conv",
        "repeat_2.3.branch0.bn",
        "repeat_2.3.conv2d",
    }


@pytest.mark.real
def test_the_real_weights_fill_every_key(real_data: Path) -> None:
    network = InceptionResnetV1()
    filled = {key for key in network.state_dict() if not key.endswith("num_batches_tracked")}
    state, _ = backbones.read_weights(real_data / FACENET)
    info = backbones.load_weights(real_data / FACENET, network)
    assert set(state) == filled
    assert all(torch.equal(network.state_dict()[key], state[key]) for key in filled)
    assert all(tensor.dtype == torch.float32 for tensor in state.values())
    assert round(dense_mib(network), 1) == 89.6
    assert "20180402-114759" in info.source


@pytest.mark.real
def test_with_the_real_weights_it_knows_faces(real_data: Path) -> None:
    with (real_data / "data/lfw/pairs.csv").open(newline="") as file:
        pairs = list(csv.DictReader(file))
    some = [pair for same in "01" for pair in [p for p in pairs if p["same"] == same][:12]]
    entry = backbones.info("inception-resnet-v1")
    faces = [face(real_data / "data/lfw", p[side]) for p in some for side in ("path_a", "path_b")]
    network = InceptionResnetV1().eval()
    backbones.load_weights(real_data / FACENET, network)
    with torch.no_grad():
        embeddings = network.embed(network((torch.stack(faces) - entry.mean) / entry.scale))
    cosines = (embeddings[0::2] * embeddings[1::2]).sum(1)
    strangers, same = cosines[:12], cosines[12:]
    assert strangers.mean() < 0.2
    assert same.mean() > 0.6


def face(folder: Path, path: str) -> torch.Tensor:
    archive, name = path.split("/", 1)
    with zipfile.ZipFile(folder / archive) as opened, opened.open(name) as file:
        pixels = np.array(Image.open(file).convert("RGB"))
    return torch.from_numpy(pixels).permute(2, 0, 1).float()


@pytest.mark.real
def test_the_real_weights_of_a_detector_are_refused(real_data: Path) -> None:
    with pytest.raises(WeightsError, match=r"mtcnn\.safetensors: 'conv2d_1a\.conv\.weight'"):
        backbones.load_weights(real_data / "weights/mtcnn.safetensors", InceptionResnetV1(0.1))
