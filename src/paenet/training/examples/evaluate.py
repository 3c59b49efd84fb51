"""What a network says of a split."""

import hashlib

import torch
from torch import Tensor, nn

from paenet.training.examples.data import Progress, Split, View
from paenet.training.examples.sources import ImageSource, Source
from paenet.training.machine import enough_memory


@torch.inference_mode()
def predict(
    network: nn.Module,
    source: Source,
    *,
    batch: int,
    progress: Progress | None = None,
) -> Tensor:
    """Float32 outputs `(N, ...)` on the CPU; the network is left in the mode it was in.

    Args:
        progress: called with (images done, images in all).

    Raises:
        RunError: where a GPU has not enough memory.
    """
    weight = next(network.parameters(), None)
    device = torch.device("cpu") if weight is None else weight.device
    training = network.training
    network.eval()
    outputs = []
    for start in range(0, len(source), batch):
        with enough_memory(f"batches of {batch} images"):
            inputs = source.inputs(slice(start, start + batch), device)
            outputs.append(network(inputs).float().cpu())
        if progress is not None:
            progress(min(start + batch, len(source)), len(source))
    network.train(training)
    return torch.cat(outputs)


def output_digest(network: nn.Module, split: Split, view: View, *, count: int = 64) -> str:
    """SHA-256 of the outputs on the first `count` images in one float32 batch.

    Equal digests are bit-identical outputs (on one machine with the same number of threads).
    """
    few = ImageSource(Split(split.pixels[:count], None), view)
    outputs = predict(network, few, batch=count)
    return hashlib.sha256(outputs.contiguous().numpy().tobytes()).hexdigest()
