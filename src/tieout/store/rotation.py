"""A change of the key that seals, in three steps each of which may be the last before a crash.

1. The new key lies beside the old one, on the disk, and the database knows its name.
2. Every data key is wrapped by the new key, in one transaction; the new key is the current one.
3. The old key leaves its place. Until then every process finds both.

At every moment every credential opens with the keys of the place. The next call goes on where the
one before stopped.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, select, update

from tieout.clock import Clock
from tieout.errors import KeyTrouble
from tieout.store import audit, known_keys, sign_in, vault
from tieout.store.audit import Telling
from tieout.store.credentials import SECRETS
from tieout.store.database import Database, lock
from tieout.store.disk import flush_directory, write_private
from tieout.store.known_keys import CURRENT, LOST, NEXT, RETIRED
from tieout.store.safe import Safe
from tieout.store.schema import app_secret
from tieout.store.seat_schema import NOBODY, app_seat
from tieout.store.seats import sealed_as
from tieout.store.vault import Key

Moment = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Rewrapped:
    """What one change of the key did: the names of both keys, and how much was wrapped anew."""

    old: str
    new: str
    credentials: int
    sessions: int
    left: int  # credentials that another, lost key had sealed: they stay so


class Rotation:
    """One change of the key of an instance, by somebody."""

    def __init__(
        self, safe: Safe, database: Database, clock: Clock, by: str, moment: Moment
    ) -> None:
        """`moment` is told of each point where a process may die."""
        self._safe, self._database, self._clock, self._by = safe, database, clock, by
        self._moment = moment

    def prepare(self) -> str:
        """Step 1; the fingerprint of the new key, or "" when only step 3 of a change is left.

        KeyTrouble when the current key is not in its place, or when others keep that place and
        there is no new key in it.
        """
        return self._database.transact(self._prepared)

    def _prepared(self, connection: Connection) -> str:
        lock(connection, SECRETS)
        old = known_keys.sealing(connection, self._safe.keys)
        state = {known.fingerprint: known.state for known in known_keys.listed(connection)}
        here = self._safe.keys.held(anew=True)
        fresh = [k for k in here if state.get(k.fingerprint, NEXT) == NEXT and k != old]
        if not fresh:
            if any(state.get(key.fingerprint) == RETIRED for key in here):
                return ""
            fresh = [self._drawn(here)]
        new, at = fresh[-1].fingerprint, self._clock.now()
        for name, is_ in state.items():
            if is_ == NEXT and name != new:  # its file was lost before anything was sealed with it
                known_keys.move(connection, name, LOST, self._by, at)
        if state.get(new) != NEXT:
            if state.get(old.fingerprint) != CURRENT:
                known_keys.move(connection, old.fingerprint, CURRENT, self._by, at)
            known_keys.move(connection, new, NEXT, self._by, at)
            detail = {"key": old.fingerprint, "next_key": new}
            audit.append(connection, at, Telling(self._by, "began key rotation", "key", detail))
        return new

    def _drawn(self, here: tuple[Key, ...]) -> Key:
        """A new key beside the old one, on the disk before anything names it."""
        file = self._safe.keys.file
        if file is None:
            raise KeyTrouble(
                f"There is no new key in {self._safe.keys.name}.",
                untouched="Nothing was changed.",
                do="Add one there on a line of its own behind the old one "
                "(`openssl rand -base64 32`), then run the command again.",
                who="who keeps the key of this instance",
            )
        drawn = vault.draw_key()
        vault.replace_keys(file, [*here, drawn])
        self._moment("drawn")
        return drawn

    def rewrap(self, fingerprint: str) -> Rewrapped:
        """Step 2, with the key that step 1 named; KeyTrouble, and nothing changed, when not."""
        return self._database.transact(lambda c: self._rewrapped(c, fingerprint))

    def _rewrapped(self, connection: Connection, fingerprint: str) -> Rewrapped:
        lock(connection, SECRETS)
        old = known_keys.sealing(connection, self._safe.keys)
        new = self._safe.keys.find(fingerprint)
        if new is None:
            raise known_keys.not_here(fingerprint, self._safe.keys)
        if new == old:  # committed before, when the answer was lost
            return Rewrapped("", new.fingerprint, 0, 0, 0)
        wrapped, left = self._credentials(connection, old, new)
        sessions = self._sessions(connection, old, new)
        at = self._clock.now()
        known_keys.move(connection, old.fingerprint, RETIRED, self._by, at)
        known_keys.move(connection, new.fingerprint, CURRENT, self._by, at)
        done = Rewrapped(old.fingerprint, new.fingerprint, wrapped, sessions, left)
        detail = {"key": done.new, "retired_key": done.old, "credentials": wrapped, "left": left}
        audit.append(connection, at, Telling(self._by, "rotated key", "key", detail))
        return done

    def _credentials(self, connection: Connection, old: Key, new: Key) -> tuple[int, int]:
        rows = connection.execute(
            select(app_secret.c.name, app_secret.c.sealed, app_secret.c.key_fingerprint)
        ).all()
        mine = [row for row in rows if row.key_fingerprint == old.fingerprint]
        for name, sealed, _ in mine:
            again = {
                "sealed": vault.rewrapped(old, new, name, sealed),
                "key_fingerprint": new.fingerprint,
            }
            connection.execute(update(app_secret).where(app_secret.c.name == name).values(again))
        return len(mine), sum(row.key_fingerprint != new.fingerprint for row in rows) - len(mine)

    def _sessions(self, connection: Connection, old: Key, new: Key) -> int:
        """Sessions at JD Edwards that somebody still has to end."""
        query = select(app_seat.c.connection, app_seat.c.number, app_seat.c.session)
        count = 0
        for of, number, session in connection.execute(query).all():
            if session == NOBODY or vault.fingerprint_of(session) != old.fingerprint:
                continue
            again = vault.rewrapped(old, new, sealed_as(of), session)
            seat = (app_seat.c.connection == of) & (app_seat.c.number == number)
            connection.execute(update(app_seat).where(seat).values(session=again))
            count += 1
        return count

    def retire(self) -> list[Path]:
        """Step 3; where the keys that left their place lie now. None leave a place of others."""
        sign_in.reseal(self._safe.home, self._safe.keys)
        file = self._safe.keys.file
        if file is None:
            return []
        retired = {known.fingerprint for known in self._safe.known() if known.state == RETIRED}
        here = self._safe.keys.held()
        gone = [key for key in here if key.fingerprint in retired]
        kept = [self._kept(file, key) for key in gone]
        self._moment("kept")
        if gone:
            vault.replace_keys(file, [key for key in here if key not in gone])
        return kept

    def _kept(self, file: Path, key: Key) -> Path:
        """A key of before opens the backups of before; it lies under its own name."""
        path = file.with_name(f"{file.name}.retired-{key.fingerprint}")
        with suppress(FileExistsError):
            write_private(path, vault.spelled(key))
        flush_directory(path.parent)
        return path
