"""A pack as wide as its tasks are, once one has gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paenet.packing.parts import PackWidth
from paenet.packing.widening import Maps

if TYPE_CHECKING:
    from paenet.packing.pack import Pack


def shrink(pack: Pack) -> None:
    """Forgets the widths that no task has, and the channels that they alone have.

    A pack whose tasks come and go would have more and more of both. The given width stays: tasks
    that are learnt into an emptied pack begin with it.

    Args:
        pack: changed in place; its tasks stay what they are.
    """
    tasks = pack.tasks.values()
    used = {pack.given_width, *(task.width for task in tasks)}
    widest, inside = _widest(pack.widths, used)
    for name, layer in pack.layers.items():
        layer.theta = pack.widths[widest].narrow(name, layer.theta)
        layer.owner = pack.widths[widest].narrow(name, layer.owner)
    kept = [*inside, widest]
    for task in tasks:
        task.width = kept.index(task.width)
    pack.widths = [
        PackWidth(width.width, width.skeleton, inside.get(at))
        for at, width in ((at, pack.widths[at]) for at in kept)
    ]


def _widest(widths: list[PackWidth], used: set[int]) -> tuple[int, dict[int, Maps]]:
    """The width that all of `used` lie in, and where in it each other one lies.

    One of them, where there is such a one; else the last, in which all widths lie.
    """
    last = len(widths) - 1
    for widest in (*sorted(used, reverse=True), last):
        inside = {at: _inside(widths[at], widths[widest]) for at in sorted(used - {widest})}
        if all(maps is not None for maps in inside.values()):
            break
    return widest, {at: maps for at, maps in inside.items() if maps is not None}


def _inside(narrow: PackWidth, wide: PackWidth) -> Maps | None:
    """Where a width lies in another one; None where it has channels that the other has not."""
    if wide.maps is None or narrow.maps is None:
        return narrow.maps
    found = {layer: maps.inside(wide.maps[layer]) for layer, maps in narrow.maps.items()}
    known = {layer: maps for layer, maps in found.items() if maps is not None}
    return known if len(known) == len(found) else None
