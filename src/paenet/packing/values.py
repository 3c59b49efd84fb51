"""Value grids: the few values that a task's weights may take, so that a file needs few bits."""

from __future__ import annotations

import torch
from torch import Tensor

from paenet.errors import suggest
from paenet.packing.errors import PackingError

NATIVE = "float32"
FLOATS = {"bfloat16": torch.bfloat16, "float16": torch.float16}
CODEBOOKS = {f"codebook{bits}": 2**bits for bits in range(3, 9)}
GRIDS = (*CODEBOOKS, "int8", *FLOATS, NATIVE)
"""Every grid, about from the fewest bits to the most; `float32` leaves values as they are.

`int8` has whole numbers of steps, of which 127 reach to the largest weight that the task sees in an
output channel, its own or another's: it need not be finer than what it is added to.
"""

_ITERATIONS = 30
_BINS = 2048
_MOST = 127  # the largest whole number of int8


def check_grid(grid: str, dtype: torch.dtype) -> None:
    """Refuses a grid that does not exist, or not for weights of that type.

    Raises:
        PackingError: names the grids.
    """
    if grid not in GRIDS:
        raise PackingError(f"unknown values {grid!r}{suggest(grid, GRIDS)}")
    if dtype != torch.float32 and grid != NATIVE:
        raise PackingError(f"values {grid!r} are for float32 weights, these are {dtype}")


def fit_table(grid: str, weight: Tensor, mine: Tensor) -> Tensor | None:
    """What a layer's grid needs to be known beside its name: a codebook's values, ascending.

    Args:
        weight: the layer's.
        mine: bool, the weights that the grid is for.
    """
    if grid not in CODEBOOKS:
        return None
    return _clusters(weight.detach()[mine].double(), CODEBOOKS[grid]).float() + 0.0


def snap(
    grid: str,
    weight: Tensor,
    mine: Tensor,
    table: Tensor | None,
    beside: Tensor | None = None,
) -> Tensor:
    """A layer's weights, each at the nearest value of the grid; snapping again changes nothing.

    Zeros have no sign afterwards. Where not `mine`, the result means nothing.

    Args:
        weight: float32 `(out, ...)`.
        mine: bool, as weight: the weights that the grid is for.
        table: as `fit_table` gave it.
        beside: what the task sees of others there, zero elsewhere.
    """
    if grid == NATIVE or not weight.numel():
        return weight
    if grid in FLOATS:
        return weight.to(FLOATS[grid]).to(weight.dtype) + 0.0
    if grid == "int8":
        seen = largest(torch.where(mine, weight, 0.0 if beside is None else beside))
        return _whole_steps(weight, steps_to(seen))
    assert table is not None
    if not len(table):
        return weight
    bounds = (table[1:] + table[:-1]) / 2
    return table[torch.bucketize(weight.contiguous(), bounds)]


def largest(weight: Tensor) -> Tensor:
    """`(out,)` the largest magnitude in each output channel of a layer's weight `(out, ...)`."""
    return weight.abs().reshape(len(weight), -1).amax(1)


def steps_to(magnitudes: Tensor) -> Tensor:
    """The steps of int8 of which 127 reach to float32 magnitudes.

    They are bfloat16 values: few bytes in a file, and their multiples are exact.
    """
    return (magnitudes / _MOST).bfloat16().float()


def _whole_steps(weight: Tensor, steps: Tensor) -> Tensor:
    """Whole numbers from -127 to 127 times the step of each output channel."""
    steps = steps.view(-1, *[1] * (weight.dim() - 1))
    whole = torch.where(steps > 0, weight / steps, 0.0).round().clamp(-_MOST, _MOST)
    return whole * steps + 0.0


def _clusters(values: Tensor, count: int) -> Tensor:
    """Values that a sample is nearest to: Lloyd's algorithm in one dimension.

    It starts where the density's cube root says (Panter & Dite, 1951), which is nearly optimal
    for many values, and needs a few sums over sorted values for each iteration.

    Returns:
        At most `count` values, ascending.
    """
    if not len(values):
        return values
    ordered = values.sort().values
    different: Tensor = torch.unique_consecutive(ordered)
    if len(different) <= count:
        return different
    sums = torch.cat([ordered.new_zeros(1), ordered.cumsum(0)])
    centres = _spread(ordered, count)
    for _ in range(_ITERATIONS):
        bounds = torch.searchsorted(ordered, (centres[1:] + centres[:-1]) / 2)
        edges = torch.cat([bounds.new_zeros(1), bounds, bounds.new_full((1,), len(ordered))])
        sizes = edges.diff()
        means = sums[edges].diff() / sizes.clamp(min=1)
        moved = torch.where(sizes > 0, means, centres).sort().values
        if torch.equal(moved, centres):
            break
        centres = moved
    kept: Tensor = torch.unique_consecutive(centres)
    return kept


def _spread(ordered: Tensor, count: int) -> Tensor:
    """`count` places over the range of sorted values, closer where there are more of them."""
    low, high = float(ordered[0]), float(ordered[-1])
    edges = torch.linspace(low, high, _BINS + 1, dtype=ordered.dtype, device=ordered.device)
    counts = torch.searchsorted(ordered, edges, right=True).diff().to(ordered.dtype)
    share = counts.pow(1 / 3).cumsum(0)
    wanted = (torch.arange(count, dtype=ordered.dtype, device=ordered.device) + 0.5) / count
    bins = torch.searchsorted(share, wanted * share[-1]).clamp(max=_BINS - 1)
    return edges[bins] + (high - low) / (2 * _BINS)
