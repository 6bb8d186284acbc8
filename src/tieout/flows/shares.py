"""Into how many parts a large read is cut, and which part reads which piece of it."""

from __future__ import annotations

from collections.abc import Mapping
from heapq import heapify, heapreplace

from tieout.flows.world import World
from tieout.project import LoadActuals

PART_PAGES_MIN = 20  # pages of a part: fewer are read sooner than handed out


def how_many_parts(world: World[LoadActuals], rows: int) -> int:
    """Into how many parts so many rows are cut; 0 when that does not pay."""
    parts = min(world.parts_max, rows // world.jde.page_rows // PART_PAGES_MIN)
    return parts if parts > 1 else 0


def shared_out(sizes: Mapping[int, int], parts: int) -> dict[int, int]:
    """Piece → part, from the rows of each piece.

    The largest piece first, each to the part that has least; part 1 has most.
    """
    loads: list[tuple[int, list[int]]] = [(0, [-n]) for n in range(parts)]
    heapify(loads)
    for piece, rows in sorted(sizes.items(), key=lambda item: (-item[1], item[0])):
        load, pieces = loads[0]
        heapreplace(loads, (load + rows, [*pieces, piece]))
    largest = sorted(loads, key=lambda each: (-each[0], each[1]))
    return {piece: part for part, (_, ps) in enumerate(largest, start=1) for piece in ps[1:]}
