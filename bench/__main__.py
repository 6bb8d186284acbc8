"""`python -m bench`: N ledger lines through the whole first load, against the bare limit."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO, Any

REPOSITORY = Path(__file__).parent.parent
RATIO_MIN, PEAK_RSS_MB_MAX = 0.40, 400
ROWS, ROUNDS, READERS, SEED = 1_000_000, 3, 2, 1


class Served:
    """The server's process, spoken to line by line."""

    def __init__(self, rows: int, seed: int) -> None:
        command = [sys.executable, "-m", "bench.server", "--rows", str(rows), "--seed", str(seed)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=REPOSITORY, text=True
        )
        self.told = self._answer()

    def ask(self, command: str) -> dict[str, Any]:
        """One command and its answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        out: IO[str] | None = self._process.stdout
        line = out.readline() if out is not None else ""
        if not line:
            raise SystemExit("The benchmark's server stopped; its words stand above.")
        told: dict[str, Any] = json.loads(line)
        return told

    def stop(self) -> None:
        """End it with its input."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait()


def one_round(served: Served, readers: int, keep: Path) -> dict[str, Any]:
    """One load by a new process in a new home, then the limit on the same bytes."""
    shutil.rmtree(keep, ignore_errors=True)
    served.ask("begin")
    before = served.ask("usage")["cpu_seconds"]
    command = [sys.executable, "-m", "bench.measured", "--home", str(keep)]
    command += ["--url", served.told["url"], "--readers", str(readers)]
    done = subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"The measured process ended with {done.returncode}.")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    found["server_cpu_seconds"] = served.ask("usage")["cpu_seconds"] - before
    found |= served.ask("check") | served.ask("limit")
    found["ratio"] = found["limit_seconds"] / found["wall_seconds"]
    found["ratio_of_cpu"] = found["limit_cpu_seconds"] / found["cpu_seconds"]
    found["proved"] = found["outcome"] == "complete" and not found["wrong_cells"]
    return found


def show_round(number: int, rows: int, found: dict[str, Any]) -> None:
    """One line per round, and why it does not count where it does not."""
    print(
        f"round {number}: {rows / found['wall_seconds']:,.0f} rows/s, wall "
        f"{found['wall_seconds']:.2f} s, CPU {found['cpu_seconds']:.2f} s (server "
        f"{found['server_cpu_seconds']:.2f} s), limit {found['limit_seconds']:.2f} s, ratio "
        f"{found['ratio']:.2f} (of CPU {found['ratio_of_cpu']:.2f}), peak {found['peak_mb']:.0f} "
        f"MB (imports {found['imported_mb']:.0f} MB), {found['requests']} requests, load average "
        f"{os.getloadavg()[0]:.1f}",
        flush=True,
    )
    if not found["proved"]:
        print(f"  NOT PROVED: {found['sentence']} {found['wrong_cells']} cells of the file are "
              f"wrong. {found['troubles'][:3]}")  # fmt: skip


def show_steps(found: dict[str, Any]) -> None:
    """Where the time of one round went."""
    print("\nSeconds by step, in the best round:")
    for name, seconds in sorted(found["steps"].items(), key=lambda pair: -pair[1]):
        print(f"  {seconds:7.3f}  {name}")
    print(
        f"\nServed: {found['page_bytes'] / 2**20:,.0f} MB of pages; uploaded: "
        f"{found['file_bytes'] / 2**20:,.1f} MB of CSV in {found['chunks']} chunks; "
        f"{found['figures'].get('cells', 0):,} cells proved."
    )


def verdict(rows: int, rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """The one JSON line: medians of the rounds, the highest memory of any."""
    wall = statistics.median(r["wall_seconds"] for r in rounds)
    ratio = statistics.median(r["ratio"] for r in rounds)
    peak = max(r["peak_mb"] for r in rounds)
    best = max(r["ratio"] for r in rounds)
    ok = ratio >= RATIO_MIN and peak <= PEAK_RSS_MB_MAX and all(r["proved"] for r in rounds)
    return {
        "bench": "load_actuals", "rows": rows, "rows_per_second": round(rows / wall),
        "ratio_to_limit": round(ratio, 3), "ratio_to_limit_best": round(best, 3),
        "ratio_of_cpu": round(statistics.median(r["ratio_of_cpu"] for r in rounds), 3),
        "peak_rss_mb": round(peak, 1), "ok": ok,
    }  # fmt: skip


def main() -> int:
    """Run the rounds, print the figures, end with 1 when the target is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--readers", type=int, default=READERS)
    parser.add_argument("--seed", type=int, default=SEED)
    given = parser.parse_args()
    print(f"Preparing {given.rows:,} lines (seed {given.seed}).", flush=True)
    served = Served(given.rows, given.seed)
    rows = served.told["rows"]
    found = []
    try:
        with tempfile.TemporaryDirectory(prefix="tieout-bench-") as scratch:
            for number in range(1, given.rounds + 1):
                found.append(one_round(served, given.readers, Path(scratch) / "home"))
                show_round(number, rows, found[-1])
    finally:
        served.stop()
    show_steps(max(found, key=lambda r: r["ratio"]))
    told = verdict(rows, found)
    print(json.dumps(told))
    return 0 if told["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
