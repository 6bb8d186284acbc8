"""`python -m bench.pages`: what every page costs with many runs, rejects and mirrored lines.

The pages are asked as the server asks them, without a network in between, each answer read to its
end: every address of the table of routes, lists from their beginning, their middle and their end,
by every filter and sorted by every column. The milliseconds that count are those of the processor
(all threads, SQLite included, and of a server of databases the processes that serve us); the clock
on the wall tells what else the machine did.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sqlalchemy import event

from bench.asked import Asker, addresses, signed_in
from bench.cluster import Cluster
from bench.full_home import Sizes, made
from bench.live import followed
from tieout.app import Instance
from tieout.clock import SystemClock
from tieout.settings import environment
from tieout.verbs import working
from tieout.web.assets import assets

RUNS, REJECTS, LINES = 2_000, 1_000_000, 10_000_000
ROUNDS, SEED = 5, 1  # rounds of each way to ask for an address
PAGE_MILLISECONDS_MAX, COCKPIT_MILLISECONDS_MAX = 150, 80
FIRST_PAINT_BYTES_MAX = 120_000
# What takes longer is not asked again; the first time files are hashed, and templates compiled.
LONG_MILLISECONDS, FIRST_MILLISECONDS_MAX = 2_000, 20_000


# What a browser waits for before it paints, as it is sent.
STYLES_BYTES = sum(len(assets()[n].compressed) for n in ("vendor/bootstrap.min.css", "tieout.css"))


@dataclass
class Backends:
    """The processes of a server of databases that serve this one, and the processor's time of them.

    Those of a file are this process's own time, which is counted already.
    """

    known: dict[int, int] = field(default_factory=dict)  # process → nanoseconds, as last seen

    def watch(self, instance: Instance) -> None:
        """Learn of each one when a connection to it is taken."""
        if not instance.store.database.is_sqlite:
            event.listen(instance.store.database.engine, "checkout", self._taken)

    def _taken(self, connection: Any, *_more: Any) -> None:
        self.known.setdefault(connection.info.backend_pid, 0)

    def seconds(self) -> float:
        """What they have used so far; one that has ended keeps what it had."""
        for pid in self.known:
            with suppress(FileNotFoundError, ProcessLookupError):
                self.known[pid] = int(Path(f"/proc/{pid}/schedstat").read_text().split()[0])
        return sum(self.known.values()) / 1e9


@dataclass
class Measured:
    """What all ways to ask for one address cost, in milliseconds, and the dearest of them."""

    address: str
    limit: int
    cost: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)
    bytes: int = 0  # of the first paint: the page as it is opened first, and its styles
    slowest: tuple[float, str] = (0.0, "")
    first: float = 0.0  # of the first time that anybody asks
    failed: list[str] = field(default_factory=list)

    @property
    def missed(self) -> bool:
        """Whether one in twenty costs more, the page is too large, or one was no page."""
        large = self.bytes > FIRST_PAINT_BYTES_MAX
        return bool(self.failed) or large or nth(self.cost, 95) > self.limit


def nth(values: list[float], percent: int) -> float:
    """The value that so many percent do not pass."""
    return sorted(values)[max(0, math.ceil(len(values) * percent / 100) - 1)] if values else 0.0


def measured(asker: Asker, backends: Backends, rounds: int) -> Iterator[Measured]:
    """Every address, asked in each of its ways, round after round."""
    for address, ways in addresses(asker):
        limit = COCKPIT_MILLISECONDS_MAX if address == "/" else PAGE_MILLISECONDS_MAX
        found = Measured(address, limit)
        long: set[str] = set()
        for number in range(rounds + 1):
            for way in ways:
                if way in long:  # once is enough to know
                    continue
                begun, wall = time.process_time() + backends.seconds(), time.perf_counter()
                status, sent = asker.ask(way)
                cost = (time.process_time() + backends.seconds() - begun) * 1000
                ended = status == 409 and way.endswith("/cancel")  # there is nothing to cancel
                if status >= 400 and not ended:
                    found.failed.append(f"{status} {way}")
                if way == ways[0]:
                    found.bytes = max(found.bytes, sent + STYLES_BYTES)
                if cost > (LONG_MILLISECONDS if number else FIRST_MILLISECONDS_MAX):
                    long.add(way)
                    found.slowest = max(found.slowest, (cost, way))
                elif number == 0:  # files are hashed once in a process, templates are compiled
                    found.first = max(found.first, cost)
                    continue
                found.cost.append(cost)
                if number == rounds:
                    found.slowest = max(found.slowest, (cost, way))
                found.wall.append((time.perf_counter() - wall) * 1000)
        yield found


def main() -> int:
    """Fill a home, ask every page, print the figures, end with 1 when one takes too long."""
    parser = argparse.ArgumentParser(prog="python -m bench.pages", description=__doc__)
    parser.add_argument("--rows", type=int, default=LINES, help="mirrored lines")
    parser.add_argument("--rejects", type=int, default=REJECTS)
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--home", type=Path, help="build it there, or ask what is there; stays")
    parser.add_argument("--only", default="", help="addresses that begin so")
    parser.add_argument("--postgres", action="store_true", help="on a server of its own")
    given = parser.parse_args()
    scratch = Path(tempfile.mkdtemp(prefix="tieout-bench-", dir=os.environ.get("TMPDIR")))
    scratch.chmod(0o711)  # a server of databases runs as somebody else
    home = given.home or scratch / "home"
    sizes = Sizes(given.rows, given.runs, given.rejects)
    cluster = Cluster(home.with_name(home.name + "-server")) if given.postgres else None
    database = cluster.url if cluster else ""
    try:
        begun = time.perf_counter()
        if not home.exists():
            made(home, sizes, SEED, database).close()
        built = time.perf_counter() - begun
        where = environment(str(home))
        instance = Instance(replace(where, database=database or where.database), SystemClock())
        backends = Backends()
        backends.watch(instance)
        asker = signed_in(instance, given.only)
        working.settle()  # as `tieout serve` does
        found = []
        print(f"{'milliseconds':44}  ways    p50    p95   last  first   wall    paint", flush=True)
        for each in measured(asker, backends, given.rounds):
            found.append(each)
            _tell(each, len(each.cost) // given.rounds)
        live = None if given.only else followed(asker, backends.seconds)
        if live:
            print(f"one page that follows a run: {live.share:.2%} of a core, {live.events} events")
        instance.close()
    finally:
        if cluster:
            cluster.stop("fast")
        shutil.rmtree(scratch, ignore_errors=True)
    missed = [each.address for each in found if each.missed]
    told = {
        "bench": "pages", "postgres": given.postgres, "rows": sizes.lines,
        "rejects": sizes.rejects, "runs": sizes.runs, "built_seconds": round(built),
        "pages": len(found), "missed": missed, "live_share": live and round(live.share, 4),
    }  # fmt: skip
    ok = not missed and (live is None or live.ok)
    print(json.dumps(told | {"ok": ok}))
    return 0 if ok else 1


def _tell(each: Measured, ways: int) -> None:
    mark = " missed: " + each.slowest[1] if each.missed else ""
    print(
        f"{each.address[:44]:44}  {ways:4}  {nth(each.cost, 50):5.0f}  {nth(each.cost, 95):5.0f}  "
        f"{each.slowest[0]:5.0f}  {each.first:5.0f}  {nth(each.wall, 95):5.0f}  "
        f"{each.bytes:7,}{mark}",
        flush=True,
    )
    for failed in each.failed[:3]:
        print(f"    {failed}", flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
