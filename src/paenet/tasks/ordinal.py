"""Age: years where they are known, groups of years where only those are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from paenet.errors import suggest
from paenet.tasks.ages import (
    ADIENCE,
    YEARS,
    Span,
    expected_years,
    group_log_probabilities,
    group_of,
    parse_span,
    soft_years,
)
from paenet.tasks.base import Columns, Metric, Task
from paenet.tasks.intervals import bootstrap, wilson

LONGEST_LIFE = 130


@dataclass(frozen=True, kw_only=True)
class Ordinal(Task):
    """How old is the person?

    The head gives a distribution over the years 0 to 100. A label is an age in years ("31") or a
    group ("25-32", "(25, 32)", "60+"; a range within a group counts as the group, since Adience's
    files write 8-13 as "(8, 12)"). An age between two groups has no group: it teaches and
    measures the estimate in years only.

    Args:
        groups: ranges of years, ascending, apart from each other; by default Adience's eight.
        sigma: standard deviation, in years, of the distribution that a known age is learnt as.
        group_weight: what the loss over groups counts for, beside the loss over years.
        dropout: share of the features dropped before the head while training, in [0, 1].

    Raises:
        TaskError: where a setting is out of range; names it.
    """

    kind: ClassVar[str] = "ordinal"

    groups: Sequence[str] = ADIENCE
    sigma: float = 2.5
    group_weight: float = 1.0
    dropout: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.label is None:
            self._set("label", self.name)
        if isinstance(self.groups, str) or not isinstance(self.groups, Sequence):
            raise self.error(f"groups: {self.groups!r} is not a list of ranges")
        last = -1
        for number, group in enumerate(self.groups):
            self.check_text(f"groups[{number}]", group)
            span = parse_span(group)
            if span is None:
                raise self.error(f"groups[{number}]: {group!r} is not a range such as '25-32'")
            if span[0] <= last:
                raise self.error(f"groups[{number}]: {group!r} must start above {last} years")
            last = span[1]
        if len(self.groups) <= 1:
            raise self.error(f"groups: {list(self.groups)} has nothing to tell apart; give two")
        self._set("groups", tuple(self.groups))
        self.check_number("sigma", self.sigma, 0.1, 50)
        self.check_number("group_weight", self.group_weight, 0, 1000)
        self.check_number("dropout", self.dropout, 0, 1)

    @property
    def metric(self) -> str:
        """`top1`."""
        return "top1"

    @property
    def spans(self) -> tuple[Span, ...]:
        """First and last year of each group."""
        return tuple(span for span in map(parse_span, self.groups) if span is not None)

    def head(self, features: int) -> nn.Module:
        """A linear layer, (N, features) to (N, 101) logits over years."""
        linear = nn.Linear(features, YEARS)
        return nn.Sequential(nn.Dropout(self.dropout), linear) if self.dropout else linear

    def encode(self, columns: Columns) -> Tensor:
        """(N, 2) float32: years, NaN where unknown; and the group's index, -1 where none."""
        spans = self.spans
        rows = [self._row(text, row, spans) for row, text in enumerate(self.column(columns))]
        return torch.tensor(rows, dtype=torch.float32).reshape(-1, 2)

    def criterion(self, features: int, targets: Tensor) -> nn.Module:
        """Soft labels over years, and the groups' log likelihood."""
        return AgeLoss(self.spans, self.sigma, self.group_weight)

    def check_measurable(self, targets: Tensor) -> None:
        if not (targets[:, 1] >= 0).any():
            raise self.error("no row's age lies in a group, so 'top1' cannot be measured")

    def measure(self, outputs: Tensor, targets: Tensor) -> dict[str, Metric]:
        """`top1` and `one_off` over the rows with a group; `years_mae` over those with years.

        `one_off` counts a neighbouring group as right; `years_mae` is absent where no row has
        years.

        Raises:
            TaskError: also where no row has a group.
        """
        outputs, targets = self.comparable(outputs, targets)
        self.check_measurable(targets)
        grouped = targets[:, 1] >= 0
        guess = group_log_probabilities(outputs[grouped], self.spans).argmax(1)
        distance = (guess - targets[grouped, 1].long()).abs()
        measured = {
            name: _share(int((distance <= off).sum()), len(distance))
            for name, off in (("top1", 0), ("one_off", 1))
        }
        known = ~targets[:, 0].isnan()
        if known.any():
            misses = (expected_years(outputs[known]) - targets[known, 0]).abs().double().numpy()
            measured["years_mae"] = Metric(
                float(misses.mean()), *bootstrap(misses), len(misses), "years", False
            )
        return measured

    def _row(self, text: str, row: int, spans: Sequence[Span]) -> tuple[float, float]:
        try:
            years = float(text)
        except ValueError:
            return math.nan, float(self._group(text, row, spans))
        if not 0 <= years <= LONGEST_LIFE:
            raise self.error(f"{text!r} is not an age from 0 to {LONGEST_LIFE} years", row)
        return years, float(group_of(years, spans))

    def _group(self, text: str, row: int, spans: Sequence[Span]) -> int:
        span = parse_span(text)
        if span is not None:
            for index, (low, high) in enumerate(spans):
                if low <= span[0] and span[1] <= high:
                    return index
        hint = suggest(text, self.groups)
        raise self.error(f"{text!r} is neither an age in years nor one of the groups{hint}", row)


class AgeLoss(nn.Module):
    """Cross entropy to a Gaussian around the age, plus the negative log likelihood of the group.

    Each part is the mean over the rows that have it, 0 where none has.

    Args:
        spans: first and last year of each group.
        sigma: in years.
        group_weight: >= 0.
    """

    def __init__(self, spans: Sequence[Span], sigma: float, group_weight: float) -> None:
        super().__init__()
        self.spans, self.sigma, self.group_weight = tuple(spans), sigma, group_weight

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """(N, 101) logits over years against (N, 2) years and groups."""
        known = ~targets[:, 0].isnan()
        soft = soft_years(targets[:, 0].nan_to_num(), self.sigma)
        by_years = -(soft * outputs.float().log_softmax(1)).sum(1)
        groups = targets[:, 1].long()
        logs = group_log_probabilities(outputs, self.spans)
        by_group = -logs.gather(1, groups.clamp_min(0)[:, None])[:, 0]
        return _mean(by_years, known) + self.group_weight * _mean(by_group, groups >= 0)


def _mean(losses: Tensor, rows: Tensor) -> Tensor:
    return torch.where(rows, losses, 0.0).sum() / rows.sum().clamp_min(1)


def _share(hits: int, count: int) -> Metric:
    return Metric(hits / count, *wilson(hits, count), count, "share")
