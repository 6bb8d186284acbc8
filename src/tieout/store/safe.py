"""The credentials of one instance and the key that opens them: set, used, never shown."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sqlalchemy import Connection

from tieout.certificates import ends_of
from tieout.clock import Clock
from tieout.errors import KeyTrouble
from tieout.redaction import hide
from tieout.store import audit, credentials, known_keys, vault
from tieout.store.audit import Telling
from tieout.store.credentials import SECRETS, Author, SecretNote
from tieout.store.database import Database, lock
from tieout.store.keys import KeyPlace
from tieout.store.known_keys import CURRENT, LOST, KnownKey

PUBLIC_FIELDS = {"username", "client_id", "certificate", "access_ends"}  # what may stand in a log


class Safe:
    """What is sealed in the database of an instance, with the keys of one place."""

    def __init__(self, home: Path, database: Database, clock: Clock, keys: KeyPlace) -> None:
        self.home, self.keys = home, keys
        self._database, self._clock = database, clock

    # Credentials

    def put(self, name: str, fields: Mapping[str, str], by: str) -> None:
        """Seal credentials under the current key, whatever sealed them before."""
        hide(*(value for field, value in fields.items() if field not in PUBLIC_FIELDS))
        author = Author(by, self._clock.now())
        with self._database.begin() as connection:
            key = known_keys.sealing(connection, self.keys)
            replaced = credentials.put(connection, key, name, fields, author, ends_of(fields))
            detail = {"fields": sorted(fields), "key": key.fingerprint, "replaced_key": replaced}
            audit.append(connection, author.at, Telling(by, "set credential", name, detail))

    def opened(self, name: str) -> dict[str, str]:
        """Opened credentials, for use in a request and for nothing else."""
        fields, failed_on = None, ""
        while fields is None:  # ends when nobody changed the key between two looks
            try:
                with self._database.read() as connection:
                    fields = credentials.opened(connection, self.keys, name)
            except KeyTrouble:  # perhaps it was changed between reading what is sealed and the key
                with self._database.read() as connection:
                    sealed = credentials.sealed(connection, name)
                if sealed == failed_on:
                    raise
                failed_on = sealed
        hide(*(value for field, value in fields.items() if field not in PUBLIC_FIELDS))
        return fields

    def listed(self) -> list[SecretNote]:
        """Which credentials are stored, without their content."""
        with self._database.read() as connection:
            return credentials.listed(connection)

    # The key

    def known(self) -> list[KnownKey]:
        """The keys of this instance by their names, oldest first."""
        with self._database.read() as connection:
            return known_keys.listed(connection)

    def check(self) -> None:
        """KeyTrouble when the key that seals is not in its place, before anything is done with it.

        An instance whose key was not entered yet takes the newest one there is.
        """
        with self._database.read() as connection:
            if known_keys.in_state(connection, CURRENT):
                known_keys.sealing(connection, self.keys)
                return
        self._database.transact(self._enter)

    def _enter(self, connection: Connection) -> None:
        lock(connection, SECRETS)
        key, at = known_keys.sealing(connection, self.keys), self._clock.now()
        if not known_keys.in_state(connection, CURRENT):
            known_keys.move(connection, key.fingerprint, CURRENT, "system", at)

    def make_key(self, by: str, *, anew: bool = False) -> None:
        """Make the key, or with `anew` the lost ones; KeyTrouble when that is not what it takes.

        A place that others keep has a key already: it is the one from now on. With `anew` a key
        of the trail that was lost is made as well.
        """
        author = Author(by, self._clock.now())
        with self._database.begin() as connection:
            if anew and (trail := audit.make_key(connection, anew=True)):
                told = Telling(by, "made key", "trail-key", {"public_key": trail.public})
                audit.append(connection, author.at, told, anew=True)
                if self._is_there(connection):
                    return
            lock(connection, SECRETS)
            sealed = credentials.listed(connection)
            if sealed and not anew:
                raise self._missing(sealed)
            file = self.keys.file
            key = vault.make_key(file) if file else self._another(connection)
            if lost := known_keys.current(connection):
                known_keys.move(connection, lost, LOST, by, author.at)
            known_keys.move(connection, key.fingerprint, CURRENT, by, author.at)
            others = {note.name: note.key_fingerprint for note in sealed}
            detail = {"key": key.fingerprint, "sealed_with_others": others}
            audit.append(connection, author.at, Telling(by, "made key", "key", detail))

    def _is_there(self, connection: Connection) -> bool:
        file = self.keys.file
        if file is not None:
            return file.exists()
        return self.keys.find(known_keys.current(connection)) is not None

    def _another(self, connection: Connection) -> vault.Key:
        """The newest key of a place that others keep; KeyTrouble when it is the current one."""
        key = self.keys.newest()
        if key.fingerprint == known_keys.current(connection):
            raise KeyTrouble(
                f"The key in {self.keys.name} is the one that seals already.",
                untouched="It was left as it is.", do="`tieout keys rotate` changes it.",
            )  # fmt: skip
        return key

    def _missing(self, sealed: list[SecretNote]) -> KeyTrouble:
        names = ", ".join(f"{note.name} (key {note.key_fingerprint})" for note in sealed)
        return KeyTrouble(
            f"There is no key in {self.keys.name}, but there are credentials sealed with one: "
            f"{names}.",
            untouched="The sealed credentials were left as they were; no key was made.",
            do=f"Put the key back. {vault.if_lost()}",
            who="who keeps the key of this instance",
        )
