"""What `tieout doctor` looks at on this machine: versions, disk, time zones, port, proxies."""

from __future__ import annotations

import os
import socket
import sys
import zoneinfo
from collections.abc import Iterator
from pathlib import Path

from tieout.engine.lock import executor_of
from tieout.store import examined
from tieout.store.connecting import journal_mode, refuse_unsound_sqlite
from tieout.store.home import check_home
from tieout.verbs.checking import Check, Looking, good, notice, wrong

HOST = "127.0.0.1"


def versions(looking: Looking) -> Iterator[Check]:
    """Python, and the SQLite it uses."""
    yield from judged_versions(sys.version_info[:3], examined.sqlite_version())


def judged_versions(python: tuple[int, ...], sqlite: tuple[int, ...]) -> Iterator[Check]:
    """The same of these versions; Misconfigured for two that do not go together."""
    spelled = [".".join(map(str, version)) for version in (python, sqlite)]
    refuse_unsound_sqlite(python[:2], sqlite)
    yield good("versions", f"Python {spelled[0]}, SQLite {spelled[1]}.")
    if journal_mode(sqlite) != "WAL":
        yield notice(
            "old-sqlite",
            f"SQLite {spelled[1]} has an unsound write-ahead log, so a rollback journal is used: "
            "who reads waits for who writes.",
            "A Python with SQLite 3.51.3 or newer is faster; so is PostgreSQL.",
        )


def home(looking: Looking) -> Iterator[Check]:
    """The directory of the instance; Misconfigured when it is missing, or open to others."""
    check_home(looking.environment.home)
    yield good("home", f"{looking.environment.home} is there, and private.")


def disk(looking: Looking) -> Iterator[Check]:
    """Room for the database, the records and the copies of them."""
    named = looking.environment.records
    places = {looking.environment.home: "the instance"}
    if "://" not in named:
        places.setdefault(Path(named), "the records")
    for place, what in places.items():
        if place.exists():
            yield _room(looking, place, what)


def _room(looking: Looking, place: Path, what: str) -> Check:
    found = os.statvfs(place)
    free = found.f_bavail * found.f_frsize
    told = f"The disk of {what} ({place}) has {free / 2**30:,.1f} GiB left."
    do = "Make room there: a run that finds none stops, and goes on later."
    if free < looking.disk_bytes_min:
        return wrong("disk", told, do)
    return notice("disk", told, do) if free < looking.disk_bytes_low else good("disk", told)


def time_zones(looking: Looking) -> Iterator[Check]:
    """Schedules name the zone they are in."""
    missing = []
    for zone in looking.zones:
        try:
            zoneinfo.ZoneInfo(zone)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError):
            missing.append(zone)
    if missing:
        yield wrong(
            "time-zones",
            f"This machine does not know the time zone {' and '.join(missing)}.",
            "Install the time zones (Debian: apt-get install tzdata; else: pip install tzdata).",
        )
        return
    yield good("time-zones", "The time zones are there.")


def port(looking: Looking) -> Iterator[Check]:
    """Where `tieout serve` would answer."""
    number = looking.port
    with socket.socket() as door:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            door.bind((HOST, number))
        except OSError:
            yield _taken(looking, number)
            return
    yield good("port", f"Port {number} is free.")


def _taken(looking: Looking, number: int) -> Check:
    serving = executor_of(looking.environment.home)
    if serving:
        return good("port", f"Port {number} is in use; process {serving} serves this instance.")
    return notice(
        "port", f"Another program answers at port {number}.",
        "`tieout serve` takes the next free one, or the one of --port.",
    )  # fmt: skip


def proxies(looking: Looking) -> Iterator[Check]:
    """JD Edwards and Anaplan are called directly, whatever the environment says."""
    named = sorted(n for n in looking.environment.standard if n.lower().endswith("_proxy"))
    if not named:
        yield good("proxies", "No proxy is named in the environment.")
        return
    storage = "; object storage is" if "://" in looking.environment.records else ""
    yield notice(
        "proxies",
        f"{', '.join(named)}: JD Edwards and Anaplan are not called by a proxy{storage}.",
        "Let this machine call them directly, or by a gateway that the addresses name.",
        "who runs the network",
    )
