"""Runs: what was executed, how each ended, and one of them as it goes on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from decimal import Decimal
from functools import partial
from typing import Any, TypeAlias

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse

from tieout.core.listing import Column, Wanted
from tieout.core.policy import Thing
from tieout.errors import NotAllowed, Refused
from tieout.store.schema import UNFINISHED
from tieout.verbs import acting, cancelling, listing, seeing
from tieout.verbs.words import OUTCOMES, lasted
from tieout.web.charts import Mark, Picture, lying
from tieout.web.render import rendered
from tieout.web.table import List
from tieout.web.view import View

COLUMNS = (
    Column("run", "Run", link="address"),
    Column("outcome", "Outcome", kind="status", find="choice", choices=tuple(OUTCOMES.items())),
    Column("sentence", "What it said", kind="words"),
    Column("flow", "Flow", find="equals"),
    Column("started_at", "Started", kind="moment", sort=True),
    Column("seconds", "Took", kind="lasted"),
    Column("rows_read", "Read", kind="count"),
    Column("rows_sent", "Sent", kind="count"),
    Column("rejects", "Rejected", kind="count"),
    Column("started_by", "By", find="equals"),
)
USUAL = Wanted("started_at", descending=True)
DURATIONS_SHOWN = 12
LOOK_SECONDS = 1.0  # between two looks at a run that somebody follows, at least
CPU_SECONDS_PER_SECOND_MAX = (
    0.005  # of a core, for one who follows: after a dear look the next one waits
)
LIVE_SECONDS_MAX = 60.0  # then the browser asks anew, and is asked anew who it is
Far: TypeAlias = tuple[str, int]  # the outcome, and how many steps are done
LIVE = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


def runs(view: View) -> Response:
    """Every run, newest first."""
    told = List(
        "runs", "Runs, newest first", "runs", COLUMNS, USUAL, partial(_page, view),
        empty="No run agrees with this.",
    )  # fmt: skip
    if file := told.file(view):
        return file
    shown = told.shown(view)
    flow = view.query.get("flow", "")
    return view.page(
        "runs.html", section="runs", title="Runs", shown=shown,
        picture=_durations(shown.rows, flow),
        command=(f"tieout runs --flow {flow}" if flow else "tieout runs",),
    )  # fmt: skip


def _page(view: View, wanted: Wanted) -> Any:
    found = listing.runs(view.instance, wanted)
    for row in found.rows:
        row["address"] = f"/runs/{row['run']}"  # type: ignore[index]  # they are dicts of ours
    return found


def _durations(rows: Sequence[Any], flow: str) -> Picture | None:
    """How long the last runs of one flow took, oldest first."""
    ended = [r for r in rows if r["seconds"] is not None][:DURATIONS_SHOWN][::-1]
    if not flow or not ended:
        return None
    tones = {"complete": "good", "needs_attention": "wait", "failed": "bad"}
    marks = [
        Mark(f"{r['run']}, {OUTCOMES[r['outcome']].casefold()}", lasted(r["seconds"]),
             Decimal(str(r["seconds"])), tones.get(r["outcome"], "quiet"))
        for r in ended
    ]  # fmt: skip
    return lying("How long runs took", f"The last {len(marks)} ended runs of {flow}.", marks)


def loaded(view: View) -> Thing:
    """The run that the path names."""
    run = view.instance.store.run(view.path("run"))
    return Thing(f"Run {run.id}", run.outcome)


def run(view: View) -> Response:
    """One run: its verdict first, then its steps, the account of its rows, its evidence."""
    found = seeing.in_short(view.instance, view.path("run"))
    name = found["run"]
    return view.page(
        "run.html", section="runs", title=name, run=found, volume=_volume(found),
        durations=_step_durations(found), live=not found["finished"],
        tone=tone_of(found), sums=_sums(found),
        command=(f"tieout show {name}",),
        evidence=(
            ("Run", name), ("Configuration", f"version {found['config_version']}"),
            ("Files kept", len(found["files"])), ("Started by", found["started_by"]),
        ),
    )  # fmt: skip


def tone_of(found: dict[str, Any]) -> str:
    """The tone of a run's verdict."""
    tones = {"complete": "good", "needs_attention": "attention", "failed": "bad",
             "running": "run", "waiting": "wait"}  # fmt: skip
    return tones.get(found["outcome"], "quiet")


def _passages(found: dict[str, Any]) -> list[dict[str, Any]]:
    account = found["accounted"] or {}
    return [p for p in account.get("passages", []) if p["came"]["rows"] or p["missing"]["rows"]]


def _volume(found: dict[str, Any]) -> Picture | None:
    """How many rows came to each step; what is told of the same rows twice is one bar."""
    marks: dict[tuple[str, str], Mark] = {}
    for p in _passages(found):
        label, told = f"{p['step']}: {p['verb']} {p['what']}", f"{p['came']['rows']:,}"
        if p["what"] != "bytes" and not (p["agrees"] and (label, told) in marks):
            tone = "run" if p["agrees"] else "bad"
            marks[label, told] = Mark(label, told, Decimal(p["came"]["rows"]), tone)
    about = "How many rows or cells came to each step."
    return lying("Volume per step", about, [*marks.values()]) if marks else None


def _step_durations(found: dict[str, Any]) -> Picture | None:
    marks = [
        Mark(s["name"], lasted(s["seconds"]), Decimal(str(round(s["seconds"], 3))), "quiet")
        for s in found["steps"]
    ]
    return lying("Time per step", "How long each step took.", marks) if marks else None


def _sums(found: dict[str, Any]) -> list[dict[str, Any]]:
    """The account of rows: what came, and where all of it went."""
    return [
        {
            "step": p["step"], "what": f"{p['verb']} {p['what']}", "came": p["came"]["rows"],
            "went": "; ".join(f"{w['rows']:,} {w['as']}" for w in p["went"] if w["rows"]),
            "missing": p["missing"]["rows"], "agrees": p["agrees"],
        }
        for p in _passages(found)
    ]  # fmt: skip


def live(view: View) -> Response:
    """The steps of a run as they are done, as server-sent events; nothing that has focus moves."""
    name = view.path("run")
    seeing.how_far(view.instance, name)  # 404 before anything is sent
    return StreamingResponse(_events(view, name), headers=LIVE, media_type="text/event-stream")


async def _events(view: View, name: str) -> AsyncIterator[str]:
    ends, seen = time.monotonic() + LIVE_SECONDS_MAX, None
    left = asyncio.create_task(_left(view.request))
    try:
        while time.monotonic() < ends and not left.done():
            try:
                await run_in_threadpool(acting.require, view.instance, "view")
            except NotAllowed:  # whose session ended meanwhile, or who may look no more
                return
            far, text, spent = await run_in_threadpool(_look, view, name, seen)
            seen = far
            if text:
                yield text
            if far[0] not in UNFINISHED:
                yield "event: ended\ndata: ended\n\n"
                return
            await asyncio.wait(
                {left}, timeout=max(LOOK_SECONDS, spent / CPU_SECONDS_PER_SECOND_MAX)
            )
    finally:
        left.cancel()


async def _left(request: Request) -> None:
    """Ends when who follows has left: nobody looks for them from then on."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _look(view: View, name: str, seen: Far | None) -> tuple[Far, str, float]:
    """How far a run is, what is told of it if that is news, and the processor's seconds for it."""
    begun = time.thread_time()
    far = seeing.how_far(view.instance, name)
    text = _event(view, name) if far != seen else ""
    return far, text, time.thread_time() - begun


def _event(view: View, name: str) -> str:
    found = seeing.in_short(view.instance, name)
    text = rendered("run_steps.html", {"run": found})
    return "".join(f"data: {line}\n" for line in text.splitlines()) + "\n"


def ask_cancel(view: View, errors: dict[str, str] | None = None) -> Response:
    """What ending a run early means, and the reason that is asked for it."""
    found = seeing.in_short(view.instance, view.path("run"))
    if not errors:
        cancelling.refuse_unfit(view.instance, found["run"])
    return view.page(
        "cancel.html", section="runs", title=f"End {found['run']}", run=found,
        errors=errors or {}, why=view.field("why"), allowed=view.may("run"),
        status=422 if errors else 200,
        command=(f"tieout cancel {found['run']} --why …",),
    )  # fmt: skip


def cancel(view: View) -> Response:
    """Ask a run to end."""
    why = view.field("why").strip()
    if not why:
        return ask_cancel(view, {"why": "Say why the run has to end."})
    try:
        cancelling.cancel(view.instance, view.path("run"), why)
    except Refused as error:
        return ask_cancel(view, {"": error.sentence()})
    return RedirectResponse(f"/runs/{view.path('run')}", 303)
