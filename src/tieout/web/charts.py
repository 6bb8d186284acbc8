"""Pictures as geometry: where each bar of a drawing stands; the same values stand in a table.

Across, everything is a share of the width, so that a picture is as wide as its place allows and
its words keep their size on a phone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal

HEIGHT_PIXELS = 96
SLOT_PIXELS_MAX = 44  # of a bar that stands, with what parts it from the next
SLOT_SHARE = Decimal("0.86")  # of a slot is bar
LEAST_PIXELS = 2  # of a bar that is not nothing
LEAST_SHARE = Decimal("0.5")  # the same of one that lies, of a hundred
ROW_PIXELS = 28  # of a bar that lies: its words, and the bar under them
BAR_PIXELS = 7  # of it are the bar
WHOLE = Decimal(100)
STEP = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Mark:
    """One value of a picture: its label, how it is told, its size, and its tone (a class)."""

    label: str
    told: str
    value: Decimal
    tone: str = "run"
    sign: str = ""  # a letter of its own shape, so that colour is never alone
    under: str = ""  # a second label of a bar that stands


@dataclass(frozen=True, slots=True)
class Bar:
    """A mark at its place: across in hundredths of the width, down in pixels."""

    mark: Mark
    x: Decimal
    y: int
    width: Decimal
    height: int

    @property
    def middle(self) -> Decimal:
        """Where its label is centred."""
        return self.x + self.width / 2


@dataclass(frozen=True, slots=True)
class Picture:
    """A drawing of bars, `kind` standing or lying, and what it shows in a sentence."""

    title: str
    about: str
    kind: str
    height: int
    bars: Sequence[Bar]
    width_max: int = 0  # pixels; 0: as wide as its place


def standing(title: str, about: str, marks: Sequence[Mark]) -> Picture:
    """Bars side by side, all above the line; the largest fills the height."""
    most = max((abs(m.value) for m in marks), default=Decimal(0)) or Decimal(1)
    slot = WHOLE / max(1, len(marks))
    bars = []
    for place, mark in enumerate(marks):
        high = int(HEIGHT_PIXELS * abs(mark.value) / most)
        high = max(LEAST_PIXELS, high) if mark.value else 0
        x = slot * (place + (1 - SLOT_SHARE) / 2)
        bars.append(Bar(mark, _share(x), HEIGHT_PIXELS - high, _share(slot * SLOT_SHARE), high))
    width = len(marks) * SLOT_PIXELS_MAX
    return Picture(title, about, "standing", HEIGHT_PIXELS, bars, width)


def lying(title: str, about: str, marks: Sequence[Mark]) -> Picture:
    """Bars under one another, each under its label and its value."""
    most = max((abs(m.value) for m in marks), default=Decimal(0)) or Decimal(1)
    ends = [(Decimal(0), abs(m.value) / most) for m in marks]
    return Picture(title, about, "lying", len(marks) * ROW_PIXELS, _rows(marks, ends))


def waterfall(title: str, about: str, marks: Sequence[Mark]) -> Picture:
    """From the first value by steps to the last: each step begins where the one before it ended.

    The first and the last mark are totals; those between them are what is added or taken away.
    """
    ends, at = [], Decimal(0)
    for place, mark in enumerate(marks):
        total = place in (0, len(marks) - 1)
        start = Decimal(0) if total else at
        at = mark.value if total else at + mark.value
        ends.append((start, at))
    # The totals are near each other: only where they differ can be seen, so the picture begins
    # there and says so.
    steps = [low for pair in ends[1:-1] for low in pair] or [at]
    totals = [marks[0].value, marks[-1].value] if marks else [at]
    low, high = min(*steps, *totals), max(*steps, *totals)
    span = (high - low) or Decimal(1)
    low -= span / 5
    span = high - low
    seen = [tuple((min(max(end, low), high) - low) / span for end in pair) for pair in ends]
    return Picture(title, about, "lying", len(marks) * ROW_PIXELS, _rows(marks, seen))


def _rows(marks: Sequence[Mark], ends: Sequence[Sequence[Decimal]]) -> list[Bar]:
    """Bars under one another, from and to parts of one."""
    bars = []
    for n, (pair, mark) in enumerate(zip(ends, marks, strict=True)):
        left, right = (_share(end * WHOLE) for end in sorted(pair))
        width = max(LEAST_SHARE, right - left) if mark.value else right - left
        bars.append(Bar(mark, min(left, WHOLE - width), n * ROW_PIXELS, width, BAR_PIXELS))
    return bars


def _share(value: Decimal) -> Decimal:
    """To the hundredth of a hundredth, never beyond the edge."""
    return value.quantize(STEP, ROUND_DOWN)
