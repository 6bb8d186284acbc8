"""How often somebody tried to sign in of late: counted before a password is looked at.

Nobody is ever shut out by name alone, or anybody could shut out the administrator: tries are
counted by name *and* address, or by a browser that once was signed in under that name.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from ipaddress import IPv6Address, IPv6Network, ip_address

from sqlalchemy import Connection, delete, insert, select, update

from tieout.errors import Busy
from tieout.store.database import lock
from tieout.store.sign_in_schema import tried

FREE_TRIES = 5  # a person who mistypes
FREE_TRIES_OF_AN_ADDRESS = 50  # an office behind one address
DELAY_SECONDS_MAX = 60
FORGOTTEN_HOURS = 1
OF_ONE_CUSTOMER_BITS = 64  # of an IPv6 address: behind them one asker has as many as they like


class TooManyTries(Busy):
    """Somebody has to wait before the next try."""

    def __init__(self, seconds: int) -> None:
        unit = "second" if seconds == 1 else "seconds"
        super().__init__(
            f"Too many tries: the next one is possible in {seconds} {unit}.",
            untouched="The password was not looked at.",
        )
        self.seconds = seconds


def household(address: str) -> str:
    """What tries and requests are counted by: an IPv4 address, the /64 of an IPv6 one.

    Anything else stands for itself.
    """
    try:
        told = ip_address(address)
    except ValueError:
        return address
    if not isinstance(told, IPv6Address):
        return str(told)
    if told.ipv4_mapped is not None:
        return str(told.ipv4_mapped)
    return str(IPv6Network((told, OF_ONE_CUSTOMER_BITS), strict=False))


def count(connection: Connection, who: str, free: int, at: datetime) -> None:
    """Count a try that is about to be made; TooManyTries when it comes too early.

    Counted first, so that many at once do not get one free try each.
    """
    lock(connection, "tries")
    connection.execute(delete(tried).where(tried.c.last_at < at - timedelta(hours=FORGOTTEN_HOURS)))
    row = connection.execute(select(tried).where(tried.c.who == who)).first()
    tries = row.tries if row else 0
    if row:
        left = delay(tries, free) - (at - row.last_at)
        if left > timedelta():
            raise TooManyTries(-(-left // timedelta(seconds=1)))
        connection.execute(delete(tried).where(tried.c.who == who))
    connection.execute(insert(tried), {"who": who, "tries": tries + 1, "last_at": at})


def delay(tries: int, free: int) -> timedelta:
    """How long to wait after so many tries: none for the free ones, then twice as long each."""
    if tries < free:
        return timedelta()
    return timedelta(seconds=min(2 ** min(tries - free, 10), DELAY_SECONDS_MAX))


def forget(connection: Connection, who: str) -> None:
    """The right password was given: the count begins anew."""
    connection.execute(delete(tried).where(tried.c.who == who))


def take_back(connection: Connection, who: str) -> None:
    """A try that was counted among those of many was none of a stranger."""
    same = tried.c.who == who
    connection.execute(update(tried).where(same, tried.c.tries > 0).values(tries=tried.c.tries - 1))
