"""The sessions a JD Edwards connection allows: a seat for each, shared by all runs and processes.

A seat is held as long as a session lives. Who finds none free stands in line, what people wait for
before what schedules began, else first come, first served; whoever holds one looks at its next
pause whether somebody waits. The token of the session lies sealed with the seat, so that the next
holder can end the session of one that died.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Update,
    bindparam,
    case,
    delete,
    exists,
    insert,
    or_,
    select,
    update,
)

from tieout.clock import Clock
from tieout.core.policy import SYSTEM
from tieout.errors import Busy, KeyTrouble, Trouble
from tieout.store import machine, vault
from tieout.store.database import Database, insert_new, lock
from tieout.store.keys import KeyPlace
from tieout.store.schema import UNFINISHED, app_run
from tieout.store.seat_line import LINE_SECONDS_MAX
from tieout.store.seat_schema import NOBODY, app_seat, app_seat_line
from tieout.store.server_time import MICROSECONDS, read_server_time

LOOK_SECONDS = 0.5  # between two looks of who stands in line
NAPS = 10  # in that time: whether this process has left a seat meanwhile
IN_FRONT = 4  # of those who wait here; the others look seldom, so that a long line costs little
SELDOM = 10  # times as long between two looks of those; less than LINE_SECONDS_MAX
CALLED = 2  # of those who wait here, when a seat is left: who came before may be a person's run
WAIT_SECONDS_MAX = 12 * 3600.0  # a backlog of long reads stands in line for as long
HELD_SECONDS_MAX = 24 * 3600.0  # no session of JD Edwards lives so long


def sealed_as(connection: str) -> str:
    """The name under which the token of a session is sealed."""
    return f"session of {connection}"


@dataclass(frozen=True, slots=True)
class Room:
    """The seats of one connection: its name, how many, and the place of the key that seals."""

    connection: str
    seats: int
    keys: KeyPlace

    def sealed(self, token: str) -> str:
        """A token as it may lie in the database; nothing of it when there is no key."""
        with suppress(KeyTrouble):
            return vault.seal(self.keys.newest(), sealed_as(self.connection), {"token": token})
        return NOBODY

    def opened(self, session: str) -> str:
        """The token again; nothing when it was sealed by another key."""
        with suppress(KeyTrouble):
            if session:
                return self.keys.opened(sealed_as(self.connection), session)["token"]
        return ""


@dataclass(frozen=True, slots=True)
class Sitter:
    """A run, and the process that tells it; `patience` raises when it waits no longer."""

    run: str
    executor: str
    patience: Callable[[], None] = field(default=lambda: None, compare=False)


@dataclass(frozen=True, slots=True)
class _Taken:
    """A seat as somebody took it: another time it is another one."""

    executor: str
    connection: str
    number: int
    taken: int


_CHANGE = update(app_seat).where(
    *(app_seat.c[name] == bindparam(f"of_{name}") for name in _Taken.__slots__)
)
_owed: set[_Taken] = set()  # left by this process when the database could not be told
_taking = Lock()  # one thread of this process after the other
_seated: set[_Taken] = set()  # which this process knows it has


class Seat:
    """One seat of a run, taken and left as often as needed; not shared between threads."""

    def __init__(self, database: Database, room: Room, sitter: Sitter, clock: Clock) -> None:
        self._database, self._room, self._sitter, self._clock = database, room, sitter, clock
        self._mine: _Taken | None = None
        self._called = False  # a seat was left here since the last look

    @property
    def held(self) -> bool:
        """Whether a session may be opened now."""
        return self._mine is not None

    def take(self) -> str:
        """Wait for a seat; the token of a session its last holder left behind, or "".

        Busy after WAIT_SECONDS_MAX; what the patience of its run raises when that is over.
        """
        give_up = self._clock.monotonic() + WAIT_SECONDS_MAX
        here = _waiting[self._room.connection]
        here.append(self)
        try:
            while (left := self._look(in_line=True)) is None:
                if self._clock.monotonic() >= give_up:
                    raise _all_taken(self._room)
                self._sitter.patience()
                self._nap()
            return left
        finally:
            here.remove(self)

    def _nap(self) -> None:
        """Until the next look, which is at once when this process leaves a seat."""
        for nap in range(NAPS * SELDOM):
            in_front = self in _waiting[self._room.connection][:IN_FRONT]
            if self._called or (in_front and nap >= NAPS):
                return
            self._clock.sleep(LOOK_SECONDS / NAPS)

    def take_free(self) -> str | None:
        """The same without waiting: None when no seat is free, or when somebody waits for it."""
        return self._look(in_line=False)

    def sit(self, token: str) -> None:
        """The session that was opened, for whoever has to end it if this process dies."""
        self._write({"session": self._room.sealed(token)})

    def leave(self, *, signed_out: bool) -> None:
        """Give the seat back, with its session if that could not be ended. Never raises.

        What cannot be written now is written at the next look or beat of this process, or found
        out by others: the run ends, or its process is missed.
        """
        if self._mine is None:
            return
        told: dict[str, object] = {"executor": NOBODY, "run": NOBODY}
        try:
            self._write(told | ({"session": NOBODY} if signed_out else {}))
        except Trouble:
            _owed.add(self._mine)
        _seated.discard(self._mine)  # not earlier: what is left and still noted is not unknown
        self._mine = None
        for seat in _waiting[self._room.connection][:CALLED]:
            seat._called = True

    def _look(self, *, in_line: bool) -> str | None:
        def look(connection: Connection) -> tuple[int, str, int] | None:
            return _take(connection, self._room, self._sitter, in_line=in_line)

        with _taking:
            self._called = False
            found = self._database.transact(look)
            if found is None:
                return None
            number, left, taken = found
            self._mine = _Taken(self._sitter.executor, self._room.connection, number, taken)
            _seated.add(self._mine)
        return self._room.opened(left)

    def _write(self, values: dict[str, object]) -> None:
        if self._mine is not None:
            mine = {f"of_{name}": getattr(self._mine, name) for name in _Taken.__slots__}
            self._database.transact(lambda c: c.execute(_CHANGE, mine | values))


_waiting: defaultdict[str, list[Seat]] = defaultdict(list)  # of this process, by connection


def _take(
    connection: Connection, room: Room, sitter: Sitter, *, in_line: bool
) -> tuple[int, str, int] | None:
    """A free seat, the session left there and the time now, if nobody came before.

    Else a place in the line.
    """
    lock(connection, f"seats of {room.connection}")
    now = read_server_time(connection)
    give_back(connection, sitter.executor)
    seats = _seats(connection, room, sitter, now)
    me = {"connection": room.connection, "executor": sitter.executor, "run": sitter.run}
    mine = [app_seat_line.c[name] == value for name, value in me.items()]
    first = _first_in_line(connection, room, now)
    number = _free(room, seats)
    my_turn = first is None or (first.executor, first.run) == (sitter.executor, sitter.run)
    if number is None or not my_turn:
        if number is not None and first is not None:  # who stands far back looks seldom
            for seat in _waiting[room.connection]:
                seat._called |= seat._sitter == Sitter(first.run, first.executor)
        if in_line and not insert_new(
            connection, app_seat_line, me | {"since": now, "looked": now}
        ):
            connection.execute(update(app_seat_line).where(*mine).values(looked=now))
        return None
    if first is not None:
        connection.execute(delete(app_seat_line).where(*mine))
    under_way = connection.execute(_UNDER_WAY, {"run": sitter.run}).scalar_one()
    row = {"executor": sitter.executor, "run": sitter.run if under_way else NOBODY, "taken": now}
    if number in seats:
        of = {"of_connection": room.connection, "of_number": number}
        connection.execute(_SIT, of | row)
        return number, seats[number].session, now
    new = {"connection": room.connection, "number": number, "session": NOBODY}
    connection.execute(insert(app_seat), new | row)
    return number, NOBODY, now


_UNDER_WAY = select(
    exists().where(app_run.c.id == bindparam("run"), app_run.c.outcome.in_(UNFINISHED))
)
_SIT = update(app_seat).where(
    app_seat.c.connection == bindparam("of_connection"),
    app_seat.c.number == bindparam("of_number"),
)


def _first_in_line(connection: Connection, room: Room, now: int) -> Row[Any] | None:
    """Who gets the next seat: what people wait for goes before what a schedule began.

    In the line stands only who looked lately, of a run that has not ended.
    """
    here = {"connection": room.connection}
    silent = {"ago": now - round(LINE_SECONDS_MAX * MICROSECONDS), "now": now}
    connection.execute(_LEAVE_LINE, here | silent)
    return connection.execute(_LINE, here).first()


_HERE = app_seat_line.c.connection == bindparam("connection")
_LEAVE_LINE = delete(app_seat_line).where(
    _HERE,
    or_(
        app_seat_line.c.looked < bindparam("ago"),
        app_seat_line.c.looked > bindparam("now"),  # before the clock was set back
    ),
)
_LINE = (
    select(app_seat_line)
    .select_from(app_seat_line.outerjoin(app_run, app_run.c.id == app_seat_line.c.run))
    .where(_HERE, or_(app_run.c.outcome.is_(None), app_run.c.outcome.in_(UNFINISHED)))
    .order_by(case((app_run.c.started_by == SYSTEM, 1), else_=0), app_seat_line.c.since)
    .limit(1)
)


def _free(room: Room, seats: Mapping[int, Row[Any]]) -> int | None:
    """The lowest seat that nobody holds, if fewer than all are held."""
    taken = {number for number, row in seats.items() if row.executor != NOBODY}
    if len(taken) >= room.seats:
        return None
    return min(set(range(1, room.seats + 1)) - taken)


def _seats(connection: Connection, room: Room, sitter: Sitter, now: int) -> dict[int, Row[Any]]:
    """The seats of a connection by number, what nobody holds any more freed first.

    That is of ended runs, of this run's dead process, and what this process took without learning
    of it.
    """
    found = connection.execute(_SEATS, {"connection": room.connection}).all()
    left = [row for row in found if row.executor != NOBODY and _is_left(row, sitter, now)]
    for row in left:
        connection.execute(_freeing(_taken_as(row)))
    # Who is an executor on PostgreSQL is missed by the others; a command is not.
    here = connection.dialect.name == "sqlite"  # then all processes are on this machine
    holders = {row.executor for row in found if row.executor != NOBODY and row not in left}
    dead = [who for who in holders if machine.is_dead(who, of_this_machine=here)]
    free(connection, dead)
    if left or dead:
        found = connection.execute(_SEATS, {"connection": room.connection}).all()
    return {row.number: row for row in found}


def _is_left(row: Row[Any], sitter: Sitter, now: int) -> bool:
    """Whether a seat that is noted as held is held by nobody."""
    told_elsewhere = row.run == sitter.run and row.executor != sitter.executor
    of_ended = row.run != NOBODY and row.outcome not in UNFINISHED
    ages_ago = row.taken < now - round(HELD_SECONDS_MAX * MICROSECONDS)
    # No other thread of this process is taking one at this moment.
    unknown = row.executor == sitter.executor and _taken_as(row) not in _seated
    return told_elsewhere or of_ended or ages_ago or unknown


def _taken_as(row: Row[Any]) -> _Taken:
    return _Taken(row.executor, row.connection, row.number, row.taken)


def _freeing(seat: _Taken) -> Update:
    return update(app_seat).where(*_same(seat)).values(executor=NOBODY, run=NOBODY)


_SEATS = (
    select(app_seat, app_run.c.outcome)
    .outerjoin(app_run, app_run.c.id == app_seat.c.run)
    .where(app_seat.c.connection == bindparam("connection"))
)


def free(connection: Connection, executors: Sequence[str]) -> None:
    """Free the seats of processes that are dead; sessions they left stay noted with the seats."""
    if not executors:
        return
    theirs = app_seat.c.executor.in_(executors)
    connection.execute(update(app_seat).where(theirs).values(executor=NOBODY, run=NOBODY))
    connection.execute(delete(app_seat_line).where(app_seat_line.c.executor.in_(executors)))


def give_back(connection: Connection, executor: str) -> None:
    """Free the seats that this process left when it could not write that down."""
    for seat in [seat for seat in _owed.copy() if seat.executor == executor]:
        if connection.execute(_freeing(seat)).rowcount == 0:  # an earlier time, which was committed
            _owed.discard(seat)


def _same(seat: _Taken) -> list[ColumnElement[bool]]:
    return [app_seat.c[name] == getattr(seat, name) for name in _Taken.__slots__]


def is_held_by(connection: Connection, run: str) -> bool:
    """Whether a seat is noted as held by a run."""
    return connection.execute(_HELD_BY, {"run": run}).first() is not None


_HELD_BY = select(app_seat.c.run).where(app_seat.c.run == bindparam("run"))


def free_of(connection: Connection, run: str) -> None:
    """Free the seats of a run that is told anew: whoever told it before has left, or is dead."""
    theirs = update(app_seat).where(app_seat.c.run == run)
    connection.execute(theirs.values(executor=NOBODY, run=NOBODY))
    connection.execute(delete(app_seat_line).where(app_seat_line.c.run == run))


def may_be_left(connection: Connection, room: Room, sitter: Sitter) -> bool:
    """Whether a session of another process lies on a seat; that process may live."""
    values = {"connection": room.connection, "executor": sitter.executor}
    return connection.execute(_OTHERS_LEFT, values).first() is not None


_OTHERS_LEFT = select(app_seat.c.number).where(
    app_seat.c.connection == bindparam("connection"),
    app_seat.c.session != NOBODY,
    app_seat.c.executor != bindparam("executor"),
)


def left_behind(connection: Connection, room: Room, sitter: Sitter) -> list[str]:
    """The sealed tokens of sessions on seats that nobody holds any more."""
    lock(connection, f"seats of {room.connection}")
    _seats(connection, room, sitter, read_server_time(connection))
    return list(connection.execute(select(app_seat.c.session).where(*_left(room))).scalars())


def ended(connection: Connection, room: Room, session: str) -> None:
    """A session that was left behind is gone: it is noted no more."""
    there = update(app_seat).where(*_of(room), app_seat.c.session == session)
    connection.execute(there.values(session=NOBODY))


def _left(room: Room) -> list[ColumnElement[bool]]:
    return [*_of(room), app_seat.c.executor == NOBODY, app_seat.c.session != NOBODY]


def _of(room: Room) -> list[ColumnElement[bool]]:
    return [app_seat.c.connection == room.connection]


def _all_taken(room: Room) -> Busy:
    return Busy(
        f"All {room.seats} sessions that {room.connection} allows at once were in use for "
        f"{WAIT_SECONDS_MAX / 3600:.0f} hours.",
        untouched="Nothing was read from JD Edwards.",
        do="Run again when fewer runs read, or allow more with `readers` of the connection.",
    )
