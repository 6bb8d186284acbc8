"""The clock work: begins what is due, once, in whichever process comes first, and goes on with it.

Every process that executes runs calls `tick` once a second. What is decided about a due time is one
transaction under the lock of its schedule: the row of the due time, the run it begins, and the next
due time. So a process that dies has either done all of it or nothing, and another one's clock
cannot begin it again. What is due is decided by one clock, that of the database on PostgreSQL.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from zlib import crc32

from sqlalchemy import Connection

from tieout.core.due import Decided, Standing, decide, due_until
from tieout.core.local_time import spelled
from tieout.core.policy import SYSTEM
from tieout.engine.agenda import Agenda, Planned, agenda_of, files_of
from tieout.engine.chain import CLOCK, PERIOD, Chain, KindOf, Now
from tieout.engine.story import Failpoint, Interrupted, nothing_fails
from tieout.errors import Misconfigured, Trouble, Unavailable
from tieout.flows.period_look import Seen
from tieout.project import JdeConnection, Project
from tieout.project_words import seconds
from tieout.settings import read_project
from tieout.store import configs, looks, schedules
from tieout.store.looks import Current
from tieout.store.schedules import Fire, Kept
from tieout.store.schema import UNFINISHED
from tieout.store.store import Store

TICK_SECONDS = 1.0
LOOK_TICK_SECONDS = 5.0
DUE_SCHEDULES_MAX = 8  # between two looks at what is due
SHARED_SCHEDULES_MAX = 32  # out of which each process takes others first
PATTERNS_STAY = timedelta(days=1)  # then F0008 is read again, though F0010 has not moved

LookAt = Callable[[Project, str, Sequence[str], Mapping[str, Current]], Seen]

log = logging.getLogger(__name__)


class Scheduler:
    """Begins what the schedules of one instance say; several may work on one database at once."""

    def __init__(
        self, store: Store, *, now: Now, kind_of: KindOf, look_at: LookAt,
        failpoint: Failpoint = nothing_fails,
    ) -> None:  # fmt: skip
        """`now`: the clock that decides what is due, the same for all processes of an instance.

        `look_at` asks JD Edwards where companies stand, and signs in and out for it.
        """
        self._store, self.now, self._look_at = store, now, look_at
        self.chain = Chain(store, now, kind_of, failpoint)
        self._agenda: tuple[object, Agenda] = (None, Agenda())
        self._compared: Agenda | None = None  # the one that what is kept is in step with
        self._unwell: set[str] = set()  # schedules that could not be dealt with, told in the log
        self._making = threading.Lock()
        self._closing = threading.Event()
        self._threads: list[threading.Thread] = []

    # --- in a process that executes -------------------------------------------------------------

    def start(self) -> None:
        """Look at the schedules in threads of its own until `close`."""
        for name, seconds_, work in (
            ("schedules", TICK_SECONDS, self.tick), ("periods", LOOK_TICK_SECONDS, self.look),
        ):  # fmt: skip
            thread = threading.Thread(
                target=self._again_and_again, args=(seconds_, work), name=name, daemon=True
            )
            thread.start()
            self._threads.append(thread)

    def close(self, timeout_seconds: float) -> None:
        """Begin nothing more; what was begun stays begun."""
        self._closing.set()
        for thread in self._threads:
            thread.join(timeout_seconds)

    def _again_and_again(self, pause_seconds: float, work: Callable[[], None]) -> None:
        works = True
        while not self._closing.wait(pause_seconds):
            try:
                work()
                works = True
            # The database may be away for a while, or this process has lost its hold on it and
            # becomes an executor again: what is due stays due.
            except (Exception, Interrupted):
                if works:  # told once, not once a second
                    log.warning("schedules could not be looked at", exc_info=True)
                works = False

    # --- what is due ----------------------------------------------------------------------------

    def tick(self) -> None:
        """Decide about every due time that has come, and go on with chains whose run has ended.

        What another process decides about at this moment is left to it.
        """
        with self._store.database.read() as connection:
            agenda = self.agenda(connection)
            if agenda.project is None:
                return
            due = schedules.due(connection, self.now(connection))
            open_fires = schedules.under_way(connection)
        for fire in open_fires:
            if fire.outcome not in UNFINISHED:
                self._apart(fire.schedule, self.chain.go_on, fire.schedule, fire.due, agenda)
        if agenda is not self._compared and self._compare(agenda):
            self._compared = agenda
        self._deal_with_due(due, agenda)

    def _deal_with_due(self, due: Sequence[str], agenda: Agenda) -> None:
        """Those that have waited longest first, a few before it looks again.

        Among them each process has an order of its own, so that several that look at once share
        the work instead of all trying all of it.
        """
        tried: set[str] = set()
        while some := self._next_of(due, tried, agenda):
            for name in some:
                self._apart(name, self._deal_with, name, agenda)
            tried.update(some)
            if len(some) < DUE_SCHEDULES_MAX:
                return
            with self._store.database.read() as connection:
                due = schedules.due(connection, self.now(connection))

    def _next_of(self, due: Sequence[str], tried: set[str], agenda: Agenda) -> list[str]:
        rest = [name for name in due if name in agenda.schedules and name not in tried]
        me, longest = self._store.database.executor, rest[:SHARED_SCHEDULES_MAX]
        return sorted(longest, key=lambda name: crc32(f"{me} {name}".encode()))[:DUE_SCHEDULES_MAX]

    def _apart(self, name: str, work: Callable[..., None], *args: Any, **more: Any) -> bool:
        """Do something for one schedule; what is wrong with it keeps no other from its time."""
        key = f"{work.__name__} {name}"
        try:
            work(*args, **more)
        except Unavailable:  # the database is away, or this process is no executor: for all alike
            raise
        except Exception:
            if key not in self._unwell:  # told once, not once a second
                log.exception("the schedule %s could not be dealt with; the others go on", name)
            self._unwell.add(key)
            return False
        self._unwell.discard(key)
        return True

    def _compare(self, agenda: Agenda) -> bool:
        """Bring what is kept of every schedule in step with a new agenda; whether all is."""
        with self._store.database.read() as connection:
            known = schedules.kept(connection)
        well = True
        for name, planned in agenda.schedules.items():
            kept = known.get(name)
            if kept is None or (kept.rule, kept.calendar) != (str(planned.rule), planned.digest):
                well &= self._apart(name, self._deal_with, name, agenda, wait=True)
        for name, kept in known.items():
            if name not in agenda.schedules and kept.rule:
                well &= self._apart(name, self._retire, name, agenda)
        return well

    def agenda(self, connection: Connection) -> Agenda:
        """The schedules as they are now; made anew when the configuration or a period changed."""
        with self._making:
            version = configs.newest(connection)
            made, agenda = self._agenda
            files = files_of(agenda.project, self._store.home) if agenda.project else ()
            key = (version, looks.marks(connection), files)
            if made == key or version is None:
                return agenda
            agenda = self._made(connection, version)
            files = files_of(agenda.project, self._store.home) if agenda.project else ()
            self._agenda = ((*key[:2], files), agenda)
            return agenda

    def _made(self, connection: Connection, version: int) -> Agenda:
        config = configs.find(connection, version)
        assert config is not None
        try:
            project = read_project(config.text)
        except Misconfigured as trouble:  # applied by another version of this program
            log.warning("no schedule can run: %s", trouble.sentence())
            return Agenda(version)
        return agenda_of(config, project, looks.looks(connection), self._store.home)

    def _deal_with(self, name: str, agenda: Agenda, *, wait: bool = False) -> None:
        """Decide what is due of a schedule, in one transaction."""
        planned = agenda.schedules[name]

        def write(connection: Connection) -> None:
            if wait:
                schedules.hold(connection, name)
            elif not schedules.try_hold(connection, name):
                return
            if configs.newest(connection) != agenda.version:
                return  # somebody applied another one: its agenda is made at the next look
            now = self.now(connection)
            kept = self._brought_up_to_date(connection, planned, agenda, now)
            due = kept.next_due
            if due is not None and due <= now and planned.calendar is not None:
                dues = due_until(planned.rule, due, now, planned.calendar)
                standing = Standing(
                    planned.schedule.missed, kept.skipped_by is not None, kept.paused_until,
                    schedules.busy(connection, name),
                )  # fmt: skip
                last = max(dues[-1], kept.dealt_with)
                following = planned.next_after(last)
                schedules.change(connection, name, dealt_with=last, next_due=following)
                # What begins a run first: the trail is locked last, as everywhere.
                for decided in decide(dues, now, standing)[::-1]:
                    self._decided(connection, planned, agenda, kept, decided, now)

        self._store.database.transact(write)

    def bring_up_to_date(self, connection: Connection, name: str, now: datetime) -> Kept:
        """What is kept of a schedule of the present configuration; its lock is held."""
        agenda = self.agenda(connection)
        return self._brought_up_to_date(connection, agenda.schedules[name], agenda, now)

    def _brought_up_to_date(
        self, connection: Connection, planned: Planned, agenda: Agenda, now: datetime
    ) -> Kept:
        """What is kept of a schedule, its next due time by the rule and calendar that hold now.

        A schedule that is new counts from when it was applied, a rule that was changed from now on.
        """
        kept, rule = schedules.find(connection, planned.name), str(planned.rule)
        if kept is None:
            since = min(agenda.applied_at or now, now)
            kept = Kept(planned.name, rule, planned.digest, since, planned.next_after(since))
            schedules.add(connection, kept)
            return kept
        if (kept.rule, kept.calendar) == (rule, planned.digest):
            return kept
        due = kept.next_due
        since = max(kept.dealt_with, now)
        if kept.rule == rule and (due is None or due <= now):
            since = kept.dealt_with  # only now known, or due by the days as they were
        following = planned.next_after(since)
        if kept.rule == rule and due is not None and due <= now:
            following = due
        kept = replace(
            kept, rule=rule, calendar=planned.digest, next_due=following, dealt_with=since
        )  # fmt: skip
        schedules.change(
            connection, kept.name, rule=rule, calendar=kept.calendar, next_due=following,
            dealt_with=since,
        )  # fmt: skip
        return kept

    def _decided(
        self, connection: Connection, planned: Planned, agenda: Agenda, kept: Kept,
        decided: Decided, now: datetime, closed: str = "",
    ) -> None:  # fmt: skip
        """Write down what becomes of a due time, and begin its first flow if it runs.

        `closed`: the companies that moved, when it is due by that.
        """
        words = f"{closed} {_words(planned, kept, decided, now)}".strip()
        by, why = SYSTEM, ""
        if decided.state in ("skipped", "paused"):
            skipped = decided.state == "skipped"
            by = (kept.skipped_by if skipped else kept.paused_by) or SYSTEM
            why = (kept.skipped_why if skipped else kept.paused_why) or ""
            if skipped:
                schedules.change(connection, kept.name, skipped_by=None, skipped_why=None)
        fire = Fire(
            kept.name, decided.due, decided.state, decided.times, PERIOD if closed else CLOCK,
            by, why, planned.flows, 0, now, words,
            None if decided.state in ("running", "asked") else now,
        )  # fmt: skip
        self.chain.begin(connection, fire, agenda, link=not closed)

    def _retire(self, name: str, agenda: Agenda) -> None:
        """A schedule that is not configured any more is due no more."""

        def write(connection: Connection) -> None:
            schedules.hold(connection, name)
            if configs.newest(connection) == agenda.version:
                schedules.change(connection, name, rule="", next_due=None)

        self._store.database.transact(write)

    # --- periods --------------------------------------------------------------------------------

    def look(self) -> None:
        """Ask JD Edwards where companies stand, where it is time to, and begin what closed."""
        with self._store.database.read() as connection:
            agenda = self.agenda(connection)
        for name, companies in agenda.looked_at.items():
            assert agenda.project is not None
            erp = agenda.project.connections[name]
            assert isinstance(erp, JdeConnection)
            self._look_through(name, sorted(companies), agenda, seconds(erp.look_at_periods))

    def _look_through(
        self, name: str, companies: Sequence[str], agenda: Agenda, pause_seconds: float
    ) -> None:
        pause = timedelta(seconds=pause_seconds)
        with self._store.begin() as connection:
            now = self.now(connection)
            if not looks.claim(connection, name, now, pause, companies):
                return
            before = looks.looks(connection)[name]
        stale = before.patterns_at is None or now - before.patterns_at >= PATTERNS_STAY
        known = {} if stale else {c: s for c, s in before.companies.items() if c in companies}
        assert agenda.project is not None
        try:
            seen = self._look_at(agenda.project, name, companies, known)
        except Trouble as trouble:
            log.warning("periods could not be looked at: %s", trouble.sentence())
            words = trouble.sentence()
            self._store.database.transact(lambda c: looks.failed(c, name, words))
            return
        self._store.database.transact(lambda c: self._saw(c, name, now, seen))

    def _saw(self, connection: Connection, name: str, asked: datetime, seen: Seen) -> None:
        """Keep what was seen; every schedule that waited for what moved fires with it.

        Its first flow begins at the next tick, in a transaction of its own.
        """
        agenda = self.agenda(connection)  # as it is by now
        watching = [p for p in agenda.schedules.values() if p.watched and p.watched[0] == name]
        for planned in watching:
            schedules.hold(connection, planned.name)
        now = self.now(connection)
        moved = looks.saw(connection, name, asked, now, seen.companies, seen.patterns)
        for planned in watching:
            assert planned.watched is not None
            closed = [c for c in planned.watched[1] if c in moved]
            if closed:
                self._closed(connection, planned, agenda, now, _closings(closed, seen))

    def _closed(
        self, connection: Connection, planned: Planned, agenda: Agenda, now: datetime, words: str
    ) -> None:
        kept = self._brought_up_to_date(connection, planned, agenda, now)
        standing = Standing("once", kept.skipped_by is not None, kept.paused_until)
        (decided,) = decide([now], now, standing)
        schedules.change(connection, kept.name, dealt_with=now)
        self._decided(connection, planned, agenda, kept, decided, now, words)


def _words(planned: Planned, kept: Kept, decided: Decided, now: datetime) -> str:
    """The sentence of a due time that did not simply run on time."""
    times = f" ({decided.times} times in all)" if decided.times > 1 else ""
    if decided.state == "skipped":
        return f"Skipped by {kept.skipped_by}: {kept.skipped_why}"
    if decided.state == "paused":
        return f"Paused by {kept.paused_by}{times}: {kept.paused_why}"
    if decided.state == "left out":
        return f"Left out{times}: the time before was not through yet."
    if not decided.late:
        return ""
    missed = f"Nothing ran when it was due{times}"
    if decided.state == "missed":
        return f"{missed}, and such times are skipped."
    if decided.state == "asked":
        return f"{missed}; somebody has to say whether it runs now."
    return f"{missed}; caught up at {spelled(now, planned.zone)}."


def _closings(companies: Sequence[str], seen: Seen) -> str:
    told = [f"company {c} moved to period {seen.companies[c].period}" for c in companies]
    return f"{'; '.join(told)}."[:1].upper() + f"{'; '.join(told)}."[1:]
