"""Values of the API about mappings, schedules, connections and evidence packs; see `values`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from tieout.web.api.values import NAME_CHARACTERS_MAX, Asked, Name, Page, Why, list_of


class OfDimension(Page):
    """A page of mappings, of one dimension or of all."""

    dimension: Literal["", "account", "business_unit", "company"] = ""


class SetMapping(Asked):
    """What a code stands for from a fiscal period on; no target: for itself again."""

    dimension: Literal["account", "business_unit", "company"]
    source: Name
    target: Name | None
    why: Why
    since: Annotated[str, Meta(pattern=r"^(\d{4}-(0[1-9]|1[0-4]))?$")] = ""


class Pause(Asked):
    """Until which day or minute, in the zone of the schedule, and why."""

    until: Annotated[str, Meta(min_length=1, max_length=40)]
    why: Why


class MakePack(Asked):
    """The evidence of a fiscal period, of one flow or of all."""

    period: Annotated[str, Meta(pattern=r"^\d{4}-\d{2}$")]
    flow: Annotated[str, Meta(max_length=NAME_CHARACTERS_MAX)] = ""


class Mapping(Struct):
    """What a code of the ledger stands for in Anaplan."""

    dimension: str
    source: str
    target: str | None
    effective_from: str
    version: int
    set_by: str
    set_at: datetime
    why: str


class MappingsSet(Struct):
    """The version of the table of mappings that holds now."""

    version: int


class Due(Struct):
    """A time at which a schedule is due."""

    at: datetime
    skipped: bool
    paused: bool


class RunOfFire(Struct):
    """A run that a due time began."""

    run: str
    flow: str
    outcome: str


class Fire(Struct):
    """What became of a due time."""

    due: datetime
    state: str
    cause: str
    by: str | None
    why: str | None
    sentence: str
    runs: list[RunOfFire]


class Schedule(Struct):
    """How a schedule stands."""

    schedule: str
    when: str
    run: list[str]
    missed: str
    zone: str
    next: list[Due]
    paused_until: datetime | None
    paused_by: str | None
    paused_why: str | None
    skips_next: bool
    amiss: list[str]
    asks: list[datetime]
    last: list[Fire]


class Ran(Struct):
    """A schedule whose flows run now, beside its times."""

    schedule: str
    due: datetime
    run: list[str]


class Connection(Struct):
    """Where a connection leads, and whether it could sign in; never with what."""

    connection: str
    system: str
    url: str
    place: str
    sign_in: str
    flows: list[str]
    set_at: datetime | None
    set_by: str
    ends_at: datetime | None
    lacks: str


class Rung(Struct):
    """One rung of the test of a connection."""

    rung: str
    state: str
    what: str
    milliseconds: int | None
    code: str
    do: str
    who: str


class Ladder(Struct):
    """What the test of a connection found, from its name to its limits."""

    connection: str
    ok: bool
    exit_code: int
    at: datetime
    rungs: list[Rung]


class Pack(Struct):
    """An evidence pack that lies in the home."""

    name: str
    bytes: int
    made_at: datetime


MappingPage, SchedulePage = list_of(Mapping), list_of(Schedule)
ConnectionPage, PackPage = list_of(Connection), list_of(Pack)
