"""Pictures keep within their place, and say by their bars what their numbers say."""

from __future__ import annotations

from decimal import Decimal
from random import Random

from tieout.web.charts import Mark, Picture, lying, standing, waterfall


def marks(*values: str) -> list[Mark]:
    return [Mark(f"step {n}", value, Decimal(value)) for n, value in enumerate(values)]


def drawn(*values: str) -> list[Picture]:
    return [draw("a", "b", marks(*values)) for draw in (standing, lying, waterfall)]


def test_no_bar_leaves_its_picture_whatever_the_numbers_are(dice: Random) -> None:
    for _ in range(300):
        values = [str(dice.randrange(-(10**12), 10**12)) for _ in range(dice.randrange(1, 25))]
        for picture in drawn(*values):
            for bar in picture.bars:
                assert bar.x >= 0
                assert bar.width >= 0
                assert bar.x + bar.width <= 100
                assert 0 <= bar.y <= bar.y + bar.height <= picture.height


def test_the_largest_fills_the_width_and_what_is_not_nothing_can_be_seen() -> None:
    bars = lying("a", "b", marks("1000000", "500000", "1", "0")).bars
    assert [bar.width for bar in bars] == [100, 50, Decimal("0.5"), 0]


def test_a_waterfall_goes_from_the_lines_by_what_is_missing_to_anaplan() -> None:
    lines, without, missing, planning = waterfall("a", "b", marks("900", "0", "-300", "600")).bars
    assert lines.x + lines.width == 100
    assert without.width == 0
    assert missing.x + missing.width == lines.x + lines.width, "it begins where the lines end"
    assert abs(planning.x + planning.width - missing.x) <= Decimal("0.01"), "and ends at Anaplan"


def test_a_picture_of_nothing_is_empty() -> None:
    assert [len(picture.bars) for picture in drawn()] == [0, 0, 0]
