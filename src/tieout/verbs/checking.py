"""One thing that `tieout doctor` looked at: how it stands, in words, and who can change it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from tieout.clock import Clock, SystemClock
from tieout.errors import Misconfigured, Trouble
from tieout.settings import Environment

State = Literal["good", "notice", "trouble"]
MACHINE = "who runs this machine"
GIB = 2**30


@dataclass(frozen=True, slots=True)
class Check:
    """`code` never changes; `exit_code` is what a trouble alone would end the command with."""

    code: str
    state: State
    what: str
    do: str = ""
    who: str = ""
    exit_code: int = 0


@dataclass(frozen=True)
class Looking:
    """Where to look, and from when on something is worth a word."""

    environment: Environment
    clock: Clock = field(default_factory=SystemClock)
    port: int = 7070
    peers: bool = False
    ledger: bool = False
    disk_bytes_low: int = 2 * GIB
    disk_bytes_min: int = GIB // 5
    zones: tuple[str, ...] = ("UTC", "America/Chicago", "Europe/Berlin", "Asia/Kolkata")
    clock_seconds_off: float = 5
    clock_seconds_max: float = 120  # schedules hold with clocks two minutes apart
    engine_rows_many: int = 200_000
    silent_seconds_max: float = 20
    expires_days: int = 30


def good(code: str, what: str) -> Check:
    """It is as it should be."""
    return Check(code, "good", what)


def notice(code: str, what: str, do: str = "", who: str = MACHINE) -> Check:
    """It works, and somebody should know."""
    return Check(code, "notice", what, do, who if do else "")


def trouble(code: str, told: Trouble) -> Check:
    """It does not work."""
    return Check(code, "trouble", told.what, told.do, told.who or MACHINE, told.exit_code)


def wrong(code: str, what: str, do: str, who: str = MACHINE) -> Check:
    """The same for what is set up wrongly."""
    return trouble(code, Misconfigured(what, do=do, who=who))
