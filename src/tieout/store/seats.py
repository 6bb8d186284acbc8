"""The sessions a JD Edwards connection allows: a seat for each, shared by all runs and processes.

A seat is held as long as a session lives. Who finds none free stands in line, first come, first
served, and whoever holds one looks at its next pause whether somebody waits. The token of the
session lies sealed with the seat, so that the next holder can end the session of one that died.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Integer,
    Table,
    Text,
    and_,
    delete,
    exists,
    func,
    or_,
    select,
    text,
    update,
)

from tieout.clock import Clock
from tieout.errors import Busy, KeyTrouble, Trouble
from tieout.store import machine, vault
from tieout.store.database import Database, insert_new, lock
from tieout.store.keys import KeyPlace
from tieout.store.schema import UNFINISHED, app_run, metadata
from tieout.store.server_time import MICROSECONDS, clock_words, read_server_time

LOOK_SECONDS = 0.5  # between two looks of who stands in line
LINE_SECONDS_MAX = 15.0  # who did not look for so long stands in line no more
WAIT_SECONDS_MAX = 3600.0
HELD_SECONDS_MAX = 24 * 3600.0  # no session of JD Edwards lives so long
NOBODY = ""

app_seat = Table(
    "app_seat",
    metadata,
    Column("connection", Text, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("executor", Text, nullable=False),  # NOBODY when it is free
    Column("run", Text, nullable=False),  # NOBODY when the run had ended before
    Column("session", Text, nullable=False),  # sealed; NOBODY when none was left behind
    Column("taken", BigInteger, nullable=False),  # microseconds, the database's clock
)
app_seat_line = Table(
    "app_seat_line",
    metadata,
    Column("connection", Text, primary_key=True),
    Column("executor", Text, primary_key=True),
    Column("run", Text, primary_key=True),
    Column("since", BigInteger, nullable=False),  # the same
    Column("looked", BigInteger, nullable=False),
)


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
    """A run, and the process that tells it."""

    run: str
    executor: str


@dataclass(frozen=True, slots=True)
class _Owed:
    """A seat that was left when the database could not be told."""

    executor: str
    connection: str
    number: int
    taken: int


_owed: set[_Owed] = set()  # by this process
_taking = Lock()  # one thread of this process after the other
_seated: set[tuple[str, str, int]] = set()  # executor, connection, number: seats we know we have


class Seat:
    """One seat of a run, taken and left as often as needed; not shared between threads."""

    def __init__(self, database: Database, room: Room, sitter: Sitter, clock: Clock) -> None:
        self._database, self._room, self._sitter, self._clock = database, room, sitter, clock
        self._number: int | None = None
        self._taken = 0

    @property
    def held(self) -> bool:
        """Whether a session may be opened now."""
        return self._number is not None

    def take(self) -> str:
        """Wait for a seat; the token of a session its last holder left behind, or "".

        Busy after WAIT_SECONDS_MAX.
        """
        give_up = self._clock.monotonic() + WAIT_SECONDS_MAX
        while (left := self._look(in_line=True)) is None:
            if self._clock.monotonic() >= give_up:
                raise _all_taken(self._room)
            self._clock.sleep(LOOK_SECONDS)
        return left

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
        if self._number is None:
            return
        told: dict[str, object] = {"executor": NOBODY, "run": NOBODY}
        _seated.discard(self._key(self._number))
        try:
            self._write(told | ({"session": NOBODY} if signed_out else {}))
        except Trouble:
            me, where = self._sitter.executor, self._room.connection
            _owed.add(_Owed(me, where, self._number, self._taken))
        self._number = None

    def _look(self, *, in_line: bool) -> str | None:
        def look(connection: Connection) -> tuple[int, str, int] | None:
            return _take(connection, self._room, self._sitter, in_line=in_line)

        with _taking:
            found = self._database.transact(look)
            if found is None:
                return None
            self._number, left, self._taken = found
            _seated.add(self._key(self._number))
        return self._room.opened(left)

    def _key(self, number: int) -> tuple[str, str, int]:
        return self._sitter.executor, self._room.connection, number

    def _write(self, values: dict[str, object]) -> None:
        mine = [*_of(self._room), app_seat.c.number == self._number, _held_by(self._sitter)]
        change = update(app_seat).where(*mine).values(values)
        self._database.transact(lambda connection: connection.execute(change))


def _take(
    connection: Connection, room: Room, sitter: Sitter, *, in_line: bool
) -> tuple[int, str, int] | None:
    """A free seat, the session left there and the time now, if nobody came before.

    Else a place in the line.
    """
    lock(connection, f"seats of {room.connection}")
    now = read_server_time(connection)
    give_back(connection, sitter.executor)
    _free_unknown(connection, room, sitter.executor)
    _clear(connection, room, sitter, now)
    me = {"connection": room.connection, "executor": sitter.executor, "run": sitter.run}
    mine = [app_seat_line.c[name] == value for name, value in me.items()]
    line = select(app_seat_line).where(app_seat_line.c.connection == room.connection)
    first = connection.execute(line.order_by(app_seat_line.c.since).limit(1)).first()
    number = _free(connection, room)
    my_turn = first is None or (first.executor, first.run) == (sitter.executor, sitter.run)
    if number is None or not my_turn:
        if in_line and not insert_new(
            connection, app_seat_line, me | {"since": now, "looked": now}
        ):
            connection.execute(update(app_seat_line).where(*mine).values(looked=now))
        return None
    connection.execute(delete(app_seat_line).where(*mine))
    seat = [*_of(room), app_seat.c.number == number]
    left = connection.execute(select(app_seat.c.session).where(*seat)).scalar_one_or_none()
    under_way = exists().where(app_run.c.id == sitter.run, app_run.c.outcome.in_(UNFINISHED))
    run = sitter.run if connection.execute(select(under_way)).scalar_one() else NOBODY
    row = {"executor": sitter.executor, "run": run, "taken": now}
    if not insert_new(
        connection, app_seat,
        {"connection": room.connection, "number": number, "session": NOBODY, **row},
    ):  # fmt: skip
        connection.execute(update(app_seat).where(*seat).values(row))
    return number, left or NOBODY, now


def _free(connection: Connection, room: Room) -> int | None:
    """The lowest seat that nobody holds, if fewer than all are held."""
    held = select(app_seat.c.number).where(*_of(room), app_seat.c.executor != NOBODY)
    taken = set(connection.execute(held).scalars())
    if len(taken) >= room.seats:
        return None
    return min(set(range(1, room.seats + 1)) - taken)


def _clear(connection: Connection, room: Room, sitter: Sitter, now: int) -> None:
    """Free what nobody holds any more: seats of ended runs, and of this run's dead process.

    In the line stands only who looked lately.
    """
    held = and_(*_of(room), app_seat.c.executor != NOBODY)
    told_elsewhere = and_(app_seat.c.run == sitter.run, app_seat.c.executor != sitter.executor)
    of_ended = and_(
        app_seat.c.run != NOBODY,
        ~exists().where(app_run.c.id == app_seat.c.run, app_run.c.outcome.in_(UNFINISHED)),
    )
    ages_ago = app_seat.c.taken < now - round(HELD_SECONDS_MAX * MICROSECONDS)
    stale = or_(told_elsewhere, of_ended, ages_ago)
    connection.execute(update(app_seat).where(held, stale).values(executor=NOBODY, run=NOBODY))
    # Who is an executor on PostgreSQL is missed by the others; a command is not.
    here = connection.dialect.name == "sqlite"  # then all processes are on this machine
    holders = connection.execute(select(app_seat.c.executor).where(held).distinct()).scalars()
    free(connection, [who for who in holders if machine.is_dead(who, of_this_machine=here)])
    silent = or_(
        app_seat_line.c.looked < now - round(LINE_SECONDS_MAX * MICROSECONDS),
        app_seat_line.c.looked > now,  # before the clock was set back
    )
    line = app_seat_line.c.connection == room.connection
    connection.execute(delete(app_seat_line).where(line, silent))


def free(connection: Connection, executors: Sequence[str]) -> None:
    """Free the seats of processes that are dead; sessions they left stay noted with the seats."""
    if not executors:
        return
    theirs = app_seat.c.executor.in_(executors)
    connection.execute(update(app_seat).where(theirs).values(executor=NOBODY, run=NOBODY))
    connection.execute(delete(app_seat_line).where(app_seat_line.c.executor.in_(executors)))


def give_back(connection: Connection, executor: str) -> None:
    """Free the seats that this process left when it could not write that down."""
    for seat in [seat for seat in _owed if seat.executor == executor]:
        same = [app_seat.c[name] == getattr(seat, name) for name in _Owed.__slots__]
        freed = update(app_seat).where(*same).values(executor=NOBODY, run=NOBODY)
        if connection.execute(freed).rowcount == 0:  # an earlier time, which was committed
            _owed.discard(seat)


def _free_unknown(connection: Connection, room: Room, executor: str) -> None:
    """Free seats that this process took without learning of it: the answer to a commit was lost.

    Only where no other thread of this process is taking one at this moment.
    """
    known = [n for who, where, n in _seated if (who, where) == (executor, room.connection)]
    unknown = [*_of(room), app_seat.c.executor == executor, app_seat.c.number.not_in(known)]
    connection.execute(update(app_seat).where(*unknown).values(executor=NOBODY, run=NOBODY))


def is_held_by(connection: Connection, run: str) -> bool:
    """Whether a seat is noted as held by a run."""
    return (
        connection.execute(select(app_seat.c.run).where(app_seat.c.run == run)).first() is not None
    )


def free_of(connection: Connection, run: str) -> None:
    """Free the seats of a run that is told anew: whoever told it before has left, or is dead."""
    theirs = update(app_seat).where(app_seat.c.run == run)
    connection.execute(theirs.values(executor=NOBODY, run=NOBODY))
    connection.execute(delete(app_seat_line).where(app_seat_line.c.run == run))


def waited_for(connection: Connection, name: str) -> bool:
    """Whether somebody stands in line for a seat of a connection."""
    line = _SOMEBODY.format(now=clock_words(connection))
    values = {"name": name, "ago": round(LINE_SECONDS_MAX * MICROSECONDS)}
    return connection.execute(text(line), values).first() is not None


_SOMEBODY = """
    SELECT run FROM app_seat_line WHERE connection = :name AND looked >= {now} - :ago LIMIT 1
"""


def taken(connection: Connection) -> dict[str, list[str]]:
    """Connection → the runs that hold its seats, one entry a seat; NOBODY: a command."""
    held = select(app_seat.c.connection, app_seat.c.run).where(app_seat.c.executor != NOBODY)
    found: dict[str, list[str]] = {}
    for name, run in connection.execute(held.order_by(app_seat.c.connection, app_seat.c.number)):
        found.setdefault(name, []).append(run)
    return found


def waiting(connection: Connection) -> dict[str, int]:
    """Connection → how many runs stand in line for a seat."""
    runs = func.count().label("runs")
    line = select(app_seat_line.c.connection, runs).group_by(app_seat_line.c.connection)
    return {row.connection: row.runs for row in connection.execute(line)}


def may_be_left(connection: Connection, room: Room, sitter: Sitter) -> bool:
    """Whether a session of another process lies on a seat; that process may live."""
    others = [*_of(room), app_seat.c.session != NOBODY, app_seat.c.executor != sitter.executor]
    return connection.execute(select(app_seat.c.number).where(*others)).first() is not None


def left_behind(connection: Connection, room: Room, sitter: Sitter) -> list[str]:
    """The sealed tokens of sessions on seats that nobody holds any more."""
    lock(connection, f"seats of {room.connection}")
    _clear(connection, room, sitter, read_server_time(connection))
    return list(connection.execute(select(app_seat.c.session).where(*_left(room))).scalars())


def ended(connection: Connection, room: Room, session: str) -> None:
    """A session that was left behind is gone: it is noted no more."""
    there = update(app_seat).where(*_of(room), app_seat.c.session == session)
    connection.execute(there.values(session=NOBODY))


def _left(room: Room) -> list[ColumnElement[bool]]:
    return [*_of(room), app_seat.c.executor == NOBODY, app_seat.c.session != NOBODY]


def _of(room: Room) -> list[ColumnElement[bool]]:
    return [app_seat.c.connection == room.connection]


def _held_by(sitter: Sitter) -> ColumnElement[bool]:
    return app_seat.c.executor == sitter.executor


def _all_taken(room: Room) -> Busy:
    return Busy(
        f"All {room.seats} sessions that {room.connection} allows at once were in use for "
        f"{WAIT_SECONDS_MAX / 60:.0f} minutes.",
        untouched="Nothing was read from JD Edwards.",
        do="Run again when fewer runs read, or allow more with `readers` of the connection.",
    )
