"""`python -m bench.trace`: the history of one record among many lines, by `tieout trace`."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import polars as pl

from bench.measured import FLOW, memory_mb
from bench.mirror import build
from tieout.app import Instance
from tieout.clock import SystemClock
from tieout.flows.drill import Wanted
from tieout.settings import environment
from tieout.verbs.tracing import trace

REPOSITORY = Path(__file__).parent.parent
ROWS, ROUNDS, SEED = 100_000_000, 5, 1
SECONDS_MAX = 1.0  # for the verb in a process of its own; what Python takes to start is apart


def questions(instance: Instance) -> dict[str, dict[str, Any]]:
    """What is looked for, by its name: a line and a cell from the middle of the mirror."""
    files = instance.store.current(FLOW, "lines")
    middle = instance.store.scan([files[len(files) // 2]])
    line = middle.slice(files[len(files) // 2].rows // 2, 1).collect().row(0, named=True)
    compared = instance.store.scan(instance.store.current(FLOW, "compared"))
    place = [pl.col(n) == line[n] for n in ("fiscal_year", "period")]
    mine = compared.filter(*place, pl.col("ledger_company") == line["company"]).collect()
    cell = mine.row(mine.height // 2, named=True)
    period = (cell["fiscal_year"], cell["period"])
    cell_key = {n: cell[n] for n in ("company", "account", "business_unit")}
    return {
        "document": {
            "document": line["document"], "document_type": line["document_type"],
            "company": line["company"],
        },
        "account, cost center, period": cell_key | {"period": period},
        "cell by Anaplan's codes": cell_key | {"member": cell["member"]},
        "code of an account": {"code": cell["account"]},
    }  # fmt: skip


def opened(home: Path) -> Instance:
    """The instance in `home`."""
    return Instance(environment(str(home)), SystemClock())


def asked_here(home: Path, wanted: dict[str, Any]) -> dict[str, Any]:
    """The question twice in this process: seconds of the first and the second time."""
    instance = opened(home)
    seconds, used = [], time.process_time()
    for _ in range(2):
        begun = time.perf_counter()
        told = trace(instance, Wanted(**wanted))
        seconds.append(time.perf_counter() - begun)
        used = time.process_time() - used if len(seconds) == 1 else used
    lines = told["story"]["lines"] if "story" in told else told["lines"]
    instance.close()
    return {
        "first": seconds[0], "again": seconds[1], "cpu": used, "lines": len(lines),
        "cells": len(told["cells"]), "peak_mb": memory_mb("VmHWM"),
    }  # fmt: skip


def asked(home: Path, wanted: dict[str, Any]) -> dict[str, Any]:
    """The same in a process of its own, with the seconds of the whole process."""
    command = [sys.executable, "-m", "bench.trace", "--ask", json.dumps(wanted), "--home", home]
    begun = time.perf_counter()
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    whole = time.perf_counter() - begun
    if done.returncode:
        raise SystemExit(f"The question {wanted} was not answered: {done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found | {"whole": whole}


def forget(home: Path) -> None:
    """Let the system forget what it holds of the kept files in memory."""
    for path in (home / "records").rglob("*.parquet"):
        descriptor = os.open(path, os.O_RDONLY)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def measured(home: Path, rounds: int) -> list[dict[str, Any]]:
    """Every question in `rounds` new processes each, the first one from the disk.

    The best round counts: what else a machine has to do makes an answer slower, never faster.
    """
    instance = opened(home)
    found = []
    for name, wanted in questions(instance).items():
        forget(home)
        disk = asked(home, wanted)
        others = [asked(home, wanted) for _ in range(rounds)]
        found.append({
            "question": name, "disk": disk["first"],
            **{n: min(each[n] for each in others) for n in ("first", "again", "cpu", "whole")},
            "cells": disk["cells"], "lines": disk["lines"], "peak_mb": disk["peak_mb"],
        })  # fmt: skip
    instance.close()
    return found


def show(found: list[dict[str, Any]]) -> None:
    """The table: seconds from the disk, in a new process, again in the same, with its start."""
    print(f"{'seconds':32}  from disk  new process  its CPU   again  with start  lines  cells  MB")
    for each in found:
        print(
            f"{each['question']:32}  {each['disk']:9.2f}  {each['first']:11.2f}  "
            f"{each['cpu']:7.2f}  {each['again']:6.2f}  {each['whole']:10.2f}  {each['lines']:5}  "
            f"{each['cells']:5}  {each['peak_mb']:3.0f}"
        )


def main() -> int:
    """Build the mirror, ask, print the figures, end with 1 when an answer takes too long."""
    parser = argparse.ArgumentParser(prog="python -m bench.trace", description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--home", type=Path, help="build here and leave it, or ask what is there")
    parser.add_argument("--ask", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.ask:
        print(json.dumps(asked_here(given.home, json.loads(given.ask))))
        return 0
    scratch = Path(tempfile.mkdtemp(prefix="tieout-bench-", dir=os.environ.get("TMPDIR")))
    home = given.home or scratch / "home"
    try:
        return run(home, given.rows, given.rounds, given.seed)
    finally:
        shutil.rmtree(scratch)


def run(home: Path, rows: int, rounds: int, seed: int) -> int:
    """One measurement of a home, which is built when it is not there yet."""
    if not home.exists():
        print(f"Building a mirror of {rows:,} lines in {home}.", flush=True)
        begun = time.perf_counter()
        build(home, rows, seed).close()
        print(f"Built in {time.perf_counter() - begun:.0f} s.", flush=True)
    instance = opened(home)
    kept = instance.store.current(FLOW, "lines")
    lines, size = sum(m.rows for m in kept), sum(m.bytes for m in kept)
    instance.close()
    print(f"{lines:,} lines in {len(kept):,} files, {size / 1e9:.2f} GB", flush=True)
    found = measured(home, rounds)
    show(found)
    slowest = max(each["first"] for each in found)
    ok = slowest <= SECONDS_MAX
    told = {
        "bench": "trace", "lines": lines, "files": len(kept),
        "seconds": {each["question"]: round(each["first"], 3) for each in found},
        "slowest_seconds": round(slowest, 3),
        "slowest_cpu_seconds": round(max(each["cpu"] for each in found), 3), "ok": ok,
    }  # fmt: skip
    print(json.dumps(told))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
