"""A connection test as a ladder: rungs climbed in order, up to the first that does not hold."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from tieout.errors import Trouble

State = Literal["good", "notice", "trouble", "not reached"]
Climbed = Callable[[], Iterable["Told"]]
# In the order in which they are climbed.
NAME, DOOR, LOCK, WHO = "name", "door", "lock", "who is it"
LET_IN, PLACE, READ, ACT, LIMITS = "let in", "right place", "may read", "may act", "limits"
RUNGS = (NAME, DOOR, LOCK, WHO, LET_IN, PLACE, READ, ACT, LIMITS)
MILLISECONDS = 1000


@dataclass(frozen=True, slots=True)
class Told:
    """One thing that a rung found: as it should be, or (with a code) worth a word."""

    what: str
    code: str = ""
    do: str = ""
    who: str = ""


@dataclass(frozen=True, slots=True)
class Rung:
    """How one rung was found; `code` never changes, and is "" where all is as it should be.

    `milliseconds` is None where it was not reached. `notices` are further things worth a word.
    """

    rung: str
    state: State
    what: str
    milliseconds: int | None = None
    code: str = ""
    do: str = ""
    who: str = ""
    evidence: str = ""
    exit_code: int = 0
    notices: tuple[Told, ...] = ()


def climb(climbed: Mapping[str, Climbed], monotonic: Callable[[], float]) -> list[Rung]:
    """Every rung of RUNGS; those above the first trouble are not reached.

    A rung tells what it found, or raises Trouble with a code.
    """
    found: list[Rung] = []
    fallen = False
    for rung in RUNGS:
        if fallen:
            found.append(Rung(rung, "not reached", ""))
            continue
        began = monotonic()
        told, trouble = _told(climbed[rung])
        took = round((monotonic() - began) * MILLISECONDS)
        fallen = trouble is not None
        found.append(_fallen(rung, trouble, took) if trouble else _held(rung, told, took))
    return found


@contextmanager
def coded(code: str) -> Iterator[None]:
    """Trouble that has no code gets this one."""
    try:
        yield
    except Trouble as trouble:
        trouble.code = trouble.code or code
        raise


def _told(climbed: Climbed) -> tuple[list[Told], Trouble | None]:
    told: list[Told] = []
    try:
        told.extend(climbed())
    except Trouble as trouble:
        return told, trouble
    return told, None


def _held(rung: str, told: list[Told], took: int) -> Rung:
    good = " ".join(t.what for t in told if not t.code)
    notices = [t for t in told if t.code]
    if not notices:
        return Rung(rung, "good", good, took)
    first, *rest = notices
    what = f"{good} {first.what}".strip()
    return Rung(
        rung, "notice", what, took, first.code, first.do, first.who, notices=tuple(rest)
    )  # fmt: skip


def _fallen(rung: str, trouble: Trouble, took: int) -> Rung:
    return Rung(
        rung, "trouble", trouble.what, took, trouble.code or f"{rung.replace(' ', '-')}-failed",
        trouble.do, trouble.who, trouble.evidence, trouble.exit_code,
    )  # fmt: skip
