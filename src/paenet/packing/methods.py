"""Lifelong-learning methods as data: what a task sees, claims, prunes and widens."""

from dataclasses import dataclass
from typing import Literal

from paenet.errors import suggest
from paenet.packing.errors import PackingError

Sees = Literal["base", "all", "none"]
Claims = Literal["free", "new", "none"]
Prunes = Literal["to-goal", "by-ratio", "never"]
Widens = Literal["when-missed", "always", "never"]


@dataclass(frozen=True, slots=True)
class Method:
    """One row of the table of methods.

    Attributes:
        sees: the older weights that a task uses: those of the first task (`base`), of every
            earlier task (`all`), or no one's.
        claims: the weights that a task may train: every `free` one, only those of a `new` column,
            or `none` (a head, and norms, on what it sees).
        prunes: until the goal would be missed, by a fixed ratio, or never.
        widens: whether filters are added when the goal is missed, for every task, or never.
        picks: it learns which of those it uses, one bit for each.
        separate: each task has a network of its own, started from the given one.
    """

    sees: Sees
    claims: Claims = "free"
    prunes: Prunes = "to-goal"
    widens: Widens = "when-missed"
    picks: bool = False
    separate: bool = False

    @property
    def ordered(self) -> bool:
        """Whether it matters to a task which others were learnt between the first and it."""
        return self.claims != "none" and not self.separate


METHODS: dict[str, Method] = {
    # Hung et al., ICMR 2019, and the same with every earlier task in use.
    "pae": Method(sees="base"),
    "pae-all": Method(sees="all"),
    # Mallya & Lazebnik, CVPR 2018.
    "packnet": Method(sees="all", prunes="by-ratio", widens="never"),
    # Rusu et al., 2016.
    "progressive": Method(sees="all", claims="new", prunes="never", widens="always"),
    # Hung et al., NeurIPS 2019: compacting, picking and growing.
    "cpg": Method(sees="all", picks=True),
    # Mallya et al., ECCV 2018: nothing but a pick, and a head.
    "piggyback": Method(sees="base", claims="none", prunes="never", widens="never", picks=True),
    # A linear probe with norms of its own.
    "features": Method(sees="base", claims="none", prunes="never", widens="never"),
    "individual": Method(sees="none", prunes="never", widens="never", separate=True),
}


def method(name: str) -> Method:
    """The method called `name`.

    Raises:
        PackingError: where no method has that name; offers the nearest.
    """
    try:
        return METHODS[name]
    except KeyError:
        raise PackingError(f"unknown method {name!r}{suggest(name, METHODS)}") from None
