"""The flows of a schedule, one after the other: the next begins when the one before is complete."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from tieout.clock import Clock
from tieout.core.policy import SYSTEM
from tieout.engine.agenda import Agenda
from tieout.engine.story import Failpoint, nothing_fails
from tieout.errors import Busy
from tieout.project import Flow
from tieout.store import audit, runs, schedules
from tieout.store.audit import Telling
from tieout.store.runs import NewRun
from tieout.store.schedules import Fire
from tieout.store.server_time import server_moment
from tieout.store.store import Store

CLOCK, PERIOD, PERSON = "clock", "period", "person"  # what makes a schedule fire
FIRE = "fire"  # what a crash test interrupts: recorded, begun
NOT_RUN = ("missed", "left out", "stopped")

Now = Callable[[Connection], datetime]
KindOf = Callable[[Flow], tuple[str, bool]]

log = logging.getLogger(__name__)


def clock_of(given: Clock | None) -> Now:
    """The clock that decides what is due: the same one for all processes of an instance.

    The database's own, whatever the clocks of the machines say. A clock that was given (that of
    the practice systems, or of a test) counts instead, since it may be days ahead.
    """
    if given is None:
        return server_moment
    clock = given
    return lambda connection: clock.now()


class Chain:
    """Begins fires and goes on with them. Who calls it holds the lock of the schedule."""

    def __init__(
        self, store: Store, now: Now, kind_of: KindOf, failpoint: Failpoint = nothing_fails
    ) -> None:
        """`kind_of` a flow: the kind of run it is run by, and whether it must run alone."""
        self._store, self._now, self._kind_of = store, now, kind_of
        self._failpoint = failpoint

    def begin(
        self, connection: Connection, fire: Fire, agenda: Agenda, *, link: bool = True
    ) -> bool:  # fmt: skip
        """Write down a fire and begin its first flow, if it runs; False if it was there before.

        Without `link` its first flow begins when somebody goes on with it.
        """
        if not schedules.record(connection, fire):
            return False
        self._failpoint(FIRE, "recorded")
        if fire.state in ("running", "asked"):
            self._overtake(connection, fire)
        if fire.state != "running":
            self._tell(connection, fire)
        elif link:
            self._link(connection, fire, agenda)
        return True

    def _overtake(self, connection: Connection, fire: Fire) -> None:
        """A question that nobody answered before the next time is not asked any more."""
        for asked in schedules.fires(connection, fire.schedule, states=("asked",)):
            if asked.due < fire.due:
                words = f"{asked.sentence} Nobody answered before the next time came."
                schedules.move(
                    connection, asked, state="missed", sentence=words, ended_at=fire.decided_at
                )

    def go_on(self, name: str, due: datetime, agenda: Agenda) -> None:
        """Begin the next flow of a fire whose run has ended complete; end the fire otherwise."""

        def write(connection: Connection) -> None:
            if schedules.try_hold(connection, name):  # else another process is at it
                self.advance(connection, schedules.fire(connection, name, due), agenda)

        self._store.database.transact(write)

    def advance(self, connection: Connection, fire: Fire, agenda: Agenda) -> None:
        """The same in the caller's transaction, which holds the lock of the schedule."""
        if fire.state != "running":
            return
        if fire.place in fire.runs:
            self._after_its_run(connection, fire, agenda)
        elif schedules.oldest_under_way(connection, fire.schedule) == fire.due:
            self._link(connection, fire, agenda)  # else it waits until the earlier one is through

    def _after_its_run(self, connection: Connection, fire: Fire, agenda: Agenda) -> None:
        run = runs.find(connection, fire.runs[fire.place])
        if not run.finished:
            return
        rest = fire.flows[fire.place + 1 :]
        now = self._now(connection)
        if run.outcome != "complete":
            left = f" {_list(rest)} did not run." if rest else ""
            words = f"{run.id} did not end complete: {run.sentence}{left}"
            self._end(connection, fire, "stopped", words, now)
        elif rest:
            schedules.move(connection, fire, place=fire.place + 1)
            self._link(connection, replace(fire, place=fire.place + 1), agenda)
        else:
            self._end(connection, fire, "complete", fire.sentence, now)

    def _link(self, connection: Connection, fire: Fire, agenda: Agenda) -> None:
        """Begin the run of the present flow, unless another run of it is not through yet."""
        name = fire.flows[fire.place]
        flow = agenda.project.flows.get(name) if agenda.project else None
        if flow is None:
            words = f"The flow {name} is not configured any more."
            self._end(connection, fire, "stopped", words, self._now(connection))
            return
        kind, alone = self._kind_of(flow)
        new = NewRun(
            name, kind, fire.by, trigger=f"schedule {fire.schedule}", outcome="waiting",
            config_version=agenda.version, alone=alone,
        )  # fmt: skip
        try:
            run = self._store.start_run(connection, new)
        except Busy:
            return  # the next look tries again
        schedules.link(connection, fire, run.id)
        self._failpoint(FIRE, "begun")

    def _end(
        self, connection: Connection, fire: Fire, state: str, words: str, now: datetime
    ) -> None:
        schedules.move(connection, fire, state=state, sentence=words, ended_at=now)
        self._tell(connection, replace(fire, state=state, sentence=words))

    def _tell(self, connection: Connection, fire: Fire) -> None:
        """Into the trail; and into the log what did not run."""
        if fire.state in NOT_RUN:
            log.warning("schedule %s of %s: %s", fire.schedule, fire.due, fire.sentence)
        detail = {"due": fire.due, "state": fire.state, "times": fire.times, "why": fire.sentence}
        actor = fire.by if fire.cause == PERSON else SYSTEM
        telling = Telling(actor, "decided schedule", fire.schedule, detail)
        audit.append(connection, self._store.clock.now(), telling)

    def answer(
        self, connection: Connection, fire: Fire, agenda: Agenda, *, run: bool, by: str, why: str
    ) -> None:  # fmt: skip
        """Somebody says whether a fire that was asked for runs now."""
        now = self._now(connection)
        words = f"{fire.sentence} {by}: {why}"
        if not run:
            schedules.move(
                connection, fire, state="skipped", by=by, why=why, sentence=words, ended_at=now
            )
            return
        schedules.move(
            connection, fire, state="running", by=by, why=why, sentence=words, flows=[*fire.flows]
        )
        self._link(connection, replace(fire, state="running", by=by), agenda)


def _list(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
