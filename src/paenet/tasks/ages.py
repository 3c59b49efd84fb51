"""Ages as a distribution over years, and the groups that the years fall into."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

OLDEST = 100
YEARS = OLDEST + 1
"""Outputs of an age head: one logit for each of the years 0 to 100; older people count as 100."""

ADIENCE = ("0-2", "4-6", "8-13", "15-20", "25-32", "38-43", "48-53", "60+")
"""The eight groups of Adience (Eidinger et al., 2014)."""

Span = tuple[int, int]
_RANGE = re.compile(r"\(?\s*(\d{1,3})\s*(?:[-,\u2013]\s*(\d{1,3})|(\+))\s*\)?")


def parse_span(text: str) -> Span | None:
    """First and last year of "25-32", "(25, 32)" or "60+"; None where it is no range of years."""
    match = _RANGE.fullmatch(text.strip())
    if match is None:
        return None
    low = int(match[1])
    high = OLDEST if match[3] else min(int(match[2]), OLDEST)
    return (low, high) if low <= high else None


def basins(spans: Sequence[Span]) -> list[Span]:
    """Shares out the years 0 to 100; a year between two groups goes to the nearer, or the younger.

    Args:
        spans: first and last year of each group, ascending.

    Returns:
        For each group the years [start, stop) whose probability is the group's.
    """
    cuts = [(low + high) // 2 + 1 for (_, low), (high, _) in pairwise(spans)]
    return list(zip([0, *cuts], [*cuts, YEARS], strict=True))


def expected_years(outputs: Tensor) -> Tensor:
    """(N, 101) logits over years to (N,) expected ages in years, float32 (Rothe et al., 2018)."""
    shares = outputs.float().softmax(1)
    # A sum, not a matrix product: autocast would round a product's years to bfloat16.
    return (shares * torch.arange(YEARS, device=outputs.device)).sum(1)


def group_log_probabilities(outputs: Tensor, spans: Sequence[Span]) -> Tensor:
    """(N, 101) logits over years to (N, groups) log probabilities, float32."""
    logs = outputs.float().log_softmax(1)
    return torch.stack([logs[:, a:b].logsumexp(1) for a, b in basins(spans)], 1)


def group_probabilities(outputs: Tensor, spans: Sequence[Span]) -> Tensor:
    """(N, 101) logits over years to (N, groups) probabilities; each row sums to 1."""
    return group_log_probabilities(outputs, spans).exp()


def soft_years(years: Tensor, sigma: float) -> Tensor:
    """(N,) years to (N, 101) label distributions: a Gaussian around each age (Gao et al., 2017).

    Args:
        years: above 100 counts as 100.
        sigma: standard deviation in years, above 0.
    """
    grid = torch.arange(YEARS, device=years.device)
    distance = (grid - years.float().clamp(0, OLDEST)[:, None]) / sigma
    return (-0.5 * distance**2).softmax(1)


def group_of(years: float, spans: Sequence[Span]) -> int:
    """The group that an age in years lies in, counting completed years; -1 between two groups."""
    whole = min(math.floor(years), OLDEST)
    return next((i for i, (low, high) in enumerate(spans) if low <= whole <= high), -1)
