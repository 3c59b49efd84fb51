"""A pack that is like a learnt one, made in a moment: trained weights, owners by density."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from paenet import backbones, packfile
from paenet.packfile import PackFile
from paenet.packing import Pack, PackedTask, Split, seeded

DENSITIES = (0.615, 0.230, 0.107)
"""What identity, gender and age own in the paper's network of three tasks."""

_HALF = 2.0**-11  # relative spacing of float16


def sample(
    backbone: str, weights: str | None, densities: Sequence[float] = DENSITIES, seed: int = 0
) -> PackFile:
    """A pack of a backbone's weights that are shared out among tasks.

    The first task owns the largest weights of each layer, as pruning by magnitude leaves them; the
    others own weights drawn from the rest. Weights that come in half precision get random digits
    below it, as training would have given them.

    Args:
        backbone: a name.
        weights: trained ones, a name or a file; None takes the backbone's own initialisation.
        densities: the share of the weights that each task owns; they sum to at most 1.
        seed: of owners and digits.
    """
    draw = torch.Generator().manual_seed(seed)
    state: Mapping[str, Tensor] | None = None
    if weights is not None:
        state, _ = backbones.read_weights(weights)
    with seeded(seed):
        pack = Pack(lambda width: backbones.create(backbone, width=width), weights=state)
    size = backbones.info(backbone).size
    with torch.no_grad():
        outputs = pack.widths[0].skeleton.eval()(torch.empty(1, 3, size, size, device="meta"))
    private = {key: value for key, value in pack.given().items() if key in pack.layout.private}
    for layer in pack.layers.values():
        noise = torch.rand(layer.theta.shape, generator=draw) - 0.5
        if torch.equal(layer.theta.half().float(), layer.theta):
            layer.theta *= 1 + _HALF * noise
        _share_out(layer.theta, layer.owner, densities, draw)
    for slot in range(1, len(densities) + 1):
        name = f"task{slot}"
        sees = () if slot == 1 else ("task1",)
        head = nn.Linear(outputs.shape[1], 2).eval()
        pack.tasks[name] = PackedTask(name, slot, sees, 0, dict(private), head)
    pack.untouched = False
    return PackFile(pack, packfile.BackboneSpec(backbone), {})


SHARED = {"identity": None, "gender": 0.99, "age": 0.99, "expression": 0.87}
"""Four tasks, and the share of the first one's multiplications that each has in common with it.

In FaceNet the nearest stems are `repeat_3` and `repeat_2`, which the tasks of
`recipes/faces-stems.yaml` have; there expression gave channels up besides.
"""


def sample_with_stems(
    backbone: str,
    weights: str | None,
    stems: Mapping[str, str | None] | None = None,
    seed: int = 0,
) -> PackFile:
    """A pack of tasks that share the first layers, pruned by half and not trained.

    Args:
        backbone: a name.
        weights: trained ones, a name or a file; None takes the backbone's own initialisation.
        stems: of every task; the first has none. By default those that come nearest to `SHARED`.
        seed: of random values.
    """
    state: Mapping[str, Tensor] | None = None
    if weights is not None:
        state, _ = backbones.read_weights(weights)
    size = backbones.info(backbone).size
    with seeded(seed):
        pack = Pack(
            lambda width: backbones.create(backbone, width=width),
            example=torch.zeros(1, 3, size, size),
            weights=state,
        )
        *inner, last = pack.splits().values()
        if stems is None:
            stems = {name: _nearest(inner, share) for name, share in SHARED.items()}
        outputs = last.shape[1]
        for name, stem in stems.items():
            learner = pack.learn(name, head=nn.Linear(outputs, 2), stem=stem, seed=seed)
            learner.prune(to=0.5)
            learner.freeze()
    return PackFile(pack, packfile.BackboneSpec(backbone), {})


def _nearest(found: Sequence[Split], share: float | None) -> str | None:
    """The split below which about a share of the multiplications lies."""
    if share is None:
        return None
    return min(found, key=lambda split: abs(split.work - share)).name


def _share_out(
    theta: Tensor, owner: Tensor, densities: Sequence[float], draw: torch.Generator
) -> None:
    """Gives each task its share of a layer, and frees the rest."""
    ends = [round(sum(densities[: i + 1]) * theta.numel()) for i in range(len(densities))]
    first, *others = ends
    places = theta.abs().flatten().argsort(descending=True)
    rest = places[first:][torch.randperm(len(places) - first, generator=draw)]
    places = torch.cat([places[:first], rest])
    flat = owner.view(-1)
    start = 0
    for slot, end in enumerate([first, *others], 1):
        flat[places[start:end]] = slot
        start = end
    theta[owner == 0] = 0
