"""Make the evidence pack of a period: put together, hashed, told in the trail, then named."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

from tieout.app import Instance
from tieout.core.policy import Actor
from tieout.errors import Busy, Misconfigured, Refused
from tieout.flows import both_sides
from tieout.store import anchors, audit, checkpoints, people, registers, trail_export, verify_trail
from tieout.store.anchors import Anchored
from tieout.store.audit import Telling
from tieout.store.disk import flush_directory
from tieout.verbs import acting, exporting, practice, running, seeing
from tieout.verbs.evidence import archive, check, index
from tieout.verbs.evidence import registers as sheets
from tieout.verbs.evidence.archive import Archive
from tieout.verbs.evidence.registers import Picked
from tieout.verbs.exporting import Asked
from tieout.verbs.sheets.sheet import Sheet, Value

ACT: Final = "hand out evidence"
FORMAT = "tieout evidence 1"
TRAIL, ANCHOR = "trail/trail.jsonl", "trail/checkpoints.jsonl"
VERIFY = Path(__file__).parent / "VERIFY.txt"


@dataclass
class _Pack:
    """A pack as it grows: what it is about, who makes it, and what the index lists."""

    instance: Instance
    picked: Picked
    compared: Mapping[str, str]  # flow → the run that compared it last, of those with the period
    by: Actor
    at: datetime
    file: Archive
    verdicts: list[index.Verdict] = field(default_factory=list)
    links: list[index.Link] = field(default_factory=list)

    def sheet(self, folder: str, name: str, sheet: Sheet) -> None:
        """A sheet in every form."""
        names = [f"{folder}/{name}{form}" for form in reversed(exporting.FORMS)]
        for file_name in names:
            with self.file.entry(file_name) as file:
                exporting.written(self.instance, sheet, Path(file_name).suffix, file)
        self.links.append(index.Link(folder, sheet.title, sheet.verdict, tuple(names)))

    def link(self, folder: str, title: str, about: str, *names: str) -> None:
        """Files that are in the pack, named in the index."""
        self.links.append(index.Link(folder, title, about, names))


def make(
    instance: Instance, period: str, flow: str | None = None, to: Path | None = None
) -> dict[str, Any]:
    """Make the evidence pack of a period, of one flow or of all; what was written.

    The trail tells that it is begun, which the pack holds with a checkpoint, and then, with its
    SHA-256, that it is made. Misconfigured when no flow has compared the period; Busy while a run
    of theirs may change what is packed.
    """
    by, at = acting.require(instance, ACT), instance.clock.now()
    newest, compared, picked = _picked(instance, period, flow)
    of = f"{flow}-{picked.period}" if flow else picked.period
    path = (to or Path(f"evidence-{of}.zip")).absolute()
    with archive.made(path, at) as (file, part):
        _begin(instance, picked, by, at)
        pack = _Pack(instance, picked, compared, by, at, file)
        _fill(pack)
        digest, size = file.end()
        if _newest(instance, picked.flows) != newest:
            raise _busy(picked.period, "ran while it was put together")
        told = {
            "file": path.name, "sha256": digest, "bytes": size, "files": len(file.files),
            "period": picked.period, "flows": list(picked.flows),
        }  # fmt: skip
        _name(instance, part, path, told)
    return {"ok": True, **told, "file": str(path),
            "verdicts": [v.sentence for v in pack.verdicts]}  # fmt: skip


def _picked(
    instance: Instance, period: str, flow: str | None
) -> tuple[dict[str, int], dict[str, str], Picked]:
    """Newest runs, runs that compared the period, and what is picked."""
    year, number = seeing.period_of(period)
    if flow is not None:
        seeing.known(instance, flow)
    with instance.store.database.read() as connection:
        ever = registers.flows_run(connection)
    flows = tuple(ever) if flow is None else (flow,)
    newest = _newest(instance, flows)
    compared: dict[str, str] = {}
    days = []
    for name in running.actuals_flows(instance):
        last = seeing.last_comparison(instance, name) if name in flows else None
        if last is None or not seeing.tie_out_table(instance, name, period):
            continue
        if under_way := instance.store.unfinished_run(name):
            raise _busy(period, f"has a run under way ({under_way.id})")
        _refuse_newer(instance, name, *last)
        compared[name] = last[0]
        with instance.world_for(last[0], looking=True) as world:
            days.append(both_sides.first_day(world, year, number) or date.min)
    if not compared:
        raise Misconfigured(
            f"No flow{f' {flow}' if flow else ''} has compared a cell of {period} yet.",
            untouched="Nothing was written.",
            do="Name a fiscal year and period that a flow of actuals loads.",
        )
    return newest, compared, Picked(f"{year}-{number:02d}", flows, min(days))


def _refuse_newer(instance: Instance, flow: str, run: str, at: datetime) -> None:
    """Refused when the ledger was read anew since both sides were compared: they would not tie."""
    kept = [m for kind in ("lines", "buckets") for m in instance.store.current(flow, kind)]
    if newer := sorted({m.run for m in kept if m.written_at > at}):
        raise Refused(
            f"{', '.join(newer)} read lines of {flow} after {run} had compared both sides, and "
            "compared nothing.",
            untouched="No evidence pack was made.",
            do=f"`tieout tie-out --flow {flow}` compares them; then make the pack.",
        )  # fmt: skip


def _newest(instance: Instance, flows: tuple[str, ...]) -> dict[str, int]:
    """Flow → the number of its newest run."""
    return {f: r.number for f in flows for r in instance.store.runs(flow=f, limit=1)}


def _busy(period: str, why: str) -> Busy:
    return Busy(
        f"A flow of the evidence of {period} {why}.",
        untouched="No evidence pack was made.", do="Make it when that run has ended.",
    )  # fmt: skip


def _begin(instance: Instance, picked: Picked, by: Actor, at: datetime) -> None:
    """Tell that a pack is begun, and sign the trail that far: the pack holds both."""
    store = instance.store
    detail = {"period": picked.period, "flows": list(picked.flows)}
    with store.begin() as connection:
        telling = Telling(by.name, "began evidence pack", f"evidence {picked.period}", detail)
        audit.append(connection, at, telling)
        checkpoints.add(connection, at)
    checkpoints.bring_or_tell(store.database, store.anchor, at, "")


def _fill(pack: _Pack) -> None:
    """Everything but what names it, in the order in which the index lists it."""
    for flow in pack.compared:
        _tie_out(pack, flow)
    for name, sheet in sheets.every(pack.instance, pack.picked).items():
        pack.sheet("registers", name, sheet)
    _configurations(pack)
    for flow, run in pack.compared.items():
        _sides(pack, flow, run)
    _trail(pack)
    pack.file.text("verify.py", Path(verify_trail.__file__).read_text(encoding="utf-8"))
    pack.file.text("check.py", Path(check.__file__).read_text(encoding="utf-8"))
    pack.file.text("VERIFY.txt", VERIFY.read_text(encoding="utf-8"))
    pack.link("checking", "How to check this pack", "In plain words.", "VERIFY.txt")
    pack.link("checking", "Programs that check it", "They need nothing but Python.", "check.py",
              "verify.py")  # fmt: skip
    facts: list[tuple[str, Value]] = [
        ("Period", pack.picked.period), ("Flows", ", ".join(pack.picked.flows)),
        ("Made at", pack.at), ("Made by", pack.by.name), ("Tieout version", exporting.VERSION),
    ]  # fmt: skip
    others = [f for f in running.actuals_flows(pack.instance) if f in pack.picked.flows]
    if without := [flow for flow in others if flow not in pack.compared]:
        facts.append(("Without a cell in the period", ", ".join(without)))
    practised = practice.practice_home(pack.instance.home)
    with pack.file.entry("index.html") as file:
        index.write(pack.verdicts, facts, pack.links, file, practised=practised)
    _manifest(pack)


def _tie_out(pack: _Pack, flow: str) -> None:
    asked = Asked(flow, pack.picked.period)
    sheet = exporting.statement(pack.instance, asked)
    pack.sheet("tie-outs", flow, sheet)
    pack.verdicts.append(index.Verdict(f"Flow {flow}: {sheet.verdict}", sheet.good))
    pack.verdicts += index.verdicts(pack.instance, flow, pack.picked.period)


def _configurations(pack: _Pack) -> None:
    with pack.instance.store.database.read() as connection:
        found = registers.configurations(connection)
    names = []
    for config in found:
        names.append(f"configuration/version-{config.version}.toml")
        pack.file.text(names[-1], config.text)
    pack.link("configuration", "Texts of the configuration", "As they were applied.", *names)


def _sides(pack: _Pack, flow: str, run: str) -> None:
    """Lines, balances and compared cells as Parquet."""
    place = pack.picked.place
    folder = f"parquet/{flow}"
    with pack.instance.world_for(run, looking=True) as world:
        buckets = both_sides.buckets_of(world, *place)
        file = f"{folder}/{{}}.parquet".format
        lines = both_sides.lines_in(world, buckets)
        pack.file.parts(file("lines"), both_sides.HELD_LINES, lines)
        pack.file.parquet(file("buckets"), buckets.lazy())
        pack.file.parquet(file("cells"), both_sides.cells_of(world, *place))
    told = {
        "lines": "F0911: the posted lines of the period; those with counts = true add up to amount "
        "of their bucket",
        "buckets": "F0902 beside the lines, by account: amount (F0911), balance (F0902), and the "
        "cell_* that each is folded into",
        "cells": "the compared cells: f0911, f0902 and anaplan",
    }
    for name, about in told.items():
        pack.link("parquet", f"{flow}: {name}", f"{about}.", f"{folder}/{name}.parquet")


def _trail(pack: _Pack) -> None:
    """The anchor first: it must not know of a checkpoint that the export has not."""
    store, names = pack.instance.store, [TRAIL]
    if (anchor := _anchor(store.anchor)) is not None:
        with pack.file.entry(ANCHOR) as file:
            file.write(anchor)
        names.append(ANCHOR)
    with pack.file.entry(TRAIL) as file:
        for line in trail_export.lines(store.database, pack.at):
            file.write(f"{line}\n".encode())
    about = "Who did what: every entry since the beginning, and the signed checkpoints."
    pack.link("trail", "The trail", about, *names)


def _anchor(anchor: Anchored) -> bytes | None:
    """What the anchor says; None when it cannot be read, which `tieout audit verify` tells."""
    try:
        return anchors.content(anchor)
    except Misconfigured:
        return None


def _manifest(pack: _Pack) -> None:
    files = {name: {"sha256": h, "bytes": n} for name, (h, n) in sorted(pack.file.files.items())}
    told = {
        "format": FORMAT, "period": pack.picked.period, "flows": list(pack.picked.flows),
        "made_at": pack.at.isoformat(), "made_by": pack.by.name, "tieout": exporting.VERSION,
        "files": files,
    }  # fmt: skip
    pack.file.text(check.MANIFEST, json.dumps(told, indent=1, ensure_ascii=False) + "\n")
    sums = [f"{digest}  {name}\n" for name, (digest, _) in sorted(pack.file.files.items())]
    pack.file.text(check.SUMS, "".join(sums))


def _name(instance: Instance, part: Path, path: Path, told: Mapping[str, Any]) -> None:
    """Give the pack its name, and tell the trail its hash: both or neither."""
    token, at = acting.held_token(instance), instance.clock.now()
    named = False
    try:
        with instance.store.begin() as connection:
            by = acting.allowed(people.who(connection, token, at), ACT)
            what = f"evidence {told['period']}"
            audit.append(connection, at, Telling(by.name, "made evidence pack", what, told))
            archive.refuse_there(path)
            os.replace(part, path)
            named = True
            flush_directory(path.parent)
    except BaseException:
        if named:
            path.unlink()
        raise
