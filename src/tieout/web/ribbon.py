"""The environment that every page names: practice, a test system, or the real ones."""

from __future__ import annotations

from dataclasses import dataclass

from tieout.app import Instance
from tieout.errors import Trouble
from tieout.verbs import practice
from tieout.verbs.connection_overview import stages


@dataclass(frozen=True, slots=True)
class Ribbon:
    """A word, what it means, and a tone (a class): never colour alone."""

    word: str
    sentence: str
    tone: str


PRACTICE = Ribbon("PRACTICE", "Practice data: nothing here reaches a real system.", "practice")
REAL = Ribbon("REAL SYSTEMS", "What is sent here reaches Anaplan and JD Edwards.", "real")
PRODUCTION = ("PROD", "PRODUCTION", "LIVE")  # as `stage` of a connection names it


def ribbon_of(instance: Instance | None) -> Ribbon:
    """What an instance reaches; where nobody can say, real systems."""
    if instance is None:
        return REAL
    if practice.practice_home(instance.home):
        return PRACTICE
    try:
        found = stages(instance)
    except Trouble:
        return REAL
    if not found:
        return REAL
    word = " and ".join(found)
    if set(found) & set(PRODUCTION):
        return Ribbon(word, "What is sent here reaches the production systems.", "real")
    return Ribbon(word, f"What is sent here reaches the systems of {word} only.", "test")
