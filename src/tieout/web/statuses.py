"""The HTTP status that says a kind of trouble, to people and to programs."""

from __future__ import annotations

from tieout.errors import Busy, Misconfigured, NotAllowed, Refused, Trouble, Uncertain
from tieout.store.tries import TooManyTries

STATUSES: tuple[tuple[type[Trouble], int], ...] = (
    (TooManyTries, 429), (NotAllowed, 403), (Busy, 409), (Misconfigured, 422), (Refused, 409),
    (Uncertain, 502), (Trouble, 503),
)  # fmt: skip


def status_of(trouble: Trouble) -> int:
    """The status of the first kind that fits."""
    return next(number for kind, number in STATUSES if isinstance(trouble, kind))


def headers_of(trouble: Trouble) -> dict[str, str]:
    """How long to wait, where that is known."""
    return {"Retry-After": str(trouble.seconds)} if isinstance(trouble, TooManyTries) else {}
