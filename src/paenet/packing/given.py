"""The network that a pack begins with: its own values, or those given beside it."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from paenet.packing.errors import PackingError


def given_state(network: nn.Module, weights: Mapping[str, Tensor] | None) -> dict[str, Tensor]:
    """The network's own state with `weights` put over it.

    Raises:
        PackingError: where they do not fit; names the tensor.
    """
    state = network.state_dict()
    if weights is None:
        return state
    for key, tensor in weights.items():
        if key not in state:
            raise PackingError(f"weights: the backbone has no tensor {key!r}")
        if tensor.shape != state[key].shape:
            raise PackingError(
                f"weights: {key!r} has shape {list(tensor.shape)}, the backbone's has "
                f"{list(state[key].shape)}"
            )
    # The one thing that weights may leave out: how many batches a norm has seen.
    absent = [k for k in state if k not in weights and not k.endswith("num_batches_tracked")]
    if absent:
        raise PackingError(f"weights: {absent[0]!r} is missing")
    return {key: weights.get(key, value).to(value.dtype) for key, value in state.items()}
