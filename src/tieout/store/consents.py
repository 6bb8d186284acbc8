"""Consents by OAuth: the refresh token that is used up by each renewal, kept before it is used.

A renewal is noted before it is asked for. What is never noted as ended may have been carried out,
its answer lost: then the refresh token here may be used up, which is told and not passed over.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import uuid4

from sqlalchemy import Connection, select, update

from tieout.clock import Clock
from tieout.redaction import hide
from tieout.store import audit, credentials, known_keys, vault
from tieout.store.audit import Telling
from tieout.store.credentials import SECRETS
from tieout.store.database import Database, lock
from tieout.store.keys import KeyPlace
from tieout.store.safe import PUBLIC_FIELDS, Safe
from tieout.store.schema import app_secret

RENEWAL_SECONDS_MAX = 300  # of who renews; then it is dead, and its answer lost
NOBODY = ""  # who renews where a renewal was lost


@dataclass(frozen=True, slots=True)
class Claim:
    """Leave to renew a consent: what is stored, and when an earlier answer was lost, if one was."""

    fields: Mapping[str, str] = field(repr=False)
    lost_at: datetime | None


def claim(
    connection: Connection, place: KeyPlace, name: str, by: str, now: datetime
) -> Claim | None:
    """Note that `by` is about to renew; None while somebody else does."""
    lock(connection, SECRETS)
    fields = credentials.opened(connection, place, name)
    query = select(app_secret.c.renewal_at, app_secret.c.renewal_by)
    at, who = connection.execute(query.where(app_secret.c.name == name)).one()
    late = now - timedelta(seconds=RENEWAL_SECONDS_MAX)
    if at is not None and who not in (NOBODY, by) and at > late:
        return None
    _note(connection, name, now, by)
    again = (at, who) == (now, by)  # this transaction, carried out once more
    return Claim(fields, None if again else at)


def give_up(connection: Connection, name: str, lost_at: datetime | None) -> None:
    """The renewal did not happen, or (since `lost_at`) nobody knows whether it did."""
    _note(connection, name, lost_at, None if lost_at is None else NOBODY)


def keep(
    connection: Connection, place: KeyPlace, name: str, fields: Mapping[str, str], at: datetime
) -> None:
    """Seal what a renewal gave, and note its end."""
    lock(connection, SECRETS)
    key = known_keys.sealing(connection, place)
    values = {"sealed": vault.seal(key, name, fields), "key_fingerprint": key.fingerprint}
    connection.execute(update(app_secret).where(app_secret.c.name == name).values(values))
    _note(connection, name, None, None)
    audit.append(connection, at, Telling("system", "renewed consent", name, {}))


def _note(connection: Connection, name: str, at: datetime | None, by: str | None) -> None:
    values = {"renewal_at": at, "renewal_by": by}
    connection.execute(update(app_secret).where(app_secret.c.name == name).values(values))


class Consent:
    """The consent of one connection, as its client uses it."""

    def __init__(self, database: Database, safe: Safe, name: str, clock: Clock) -> None:
        self._database, self._safe, self._name, self._clock = database, safe, name, clock
        self._me = f"{database.executor} {uuid4()}"

    def opened(self) -> Mapping[str, str]:
        """What is stored; Misconfigured when nothing is."""
        return self._safe.opened(self._name)

    def claim(self) -> Claim | None:
        """See `claim`."""
        now = self._clock.now()
        found = self._database.transact(
            lambda c: claim(c, self._safe.keys, self._name, self._me, now)
        )
        if found is not None:
            hide(*(v for name, v in found.fields.items() if name not in PUBLIC_FIELDS))
        return found

    def keep(self, fields: Mapping[str, str]) -> None:
        """See `keep`."""
        hide(*(v for name, v in fields.items() if name not in PUBLIC_FIELDS))
        now = self._clock.now()
        self._database.transact(lambda c: keep(c, self._safe.keys, self._name, fields, now))

    def give_up(self, lost_at: datetime | None) -> None:
        """See `give_up`."""
        self._database.transact(lambda c: give_up(c, self._name, lost_at))
