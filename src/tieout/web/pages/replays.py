"""Send again: first exactly what would be sent and what changed since, then the sending."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from starlette.responses import RedirectResponse, Response

from tieout.core.findings import counted
from tieout.core.policy import Thing
from tieout.errors import Unavailable
from tieout.flows.replaying import REJECTS, REPLAY
from tieout.store.runs import Run
from tieout.verbs import replaying
from tieout.verbs.replaying import Replay
from tieout.web.asking import Asking, act, ask
from tieout.web.pages.rejects import chosen, is_chosen, spans
from tieout.web.view import View

SHORT_WAIT_SECONDS = 8.0  # for a run that mostly ends by then; it goes on whatever happens here
CELLS_SHOWN_MAX = 200
REJECTS_TOLD_MAX = 12  # of a command


def short_wait(view: View, run: Run) -> None:
    """Wait a little for a run, so that what it found can be shown at once."""
    if view.engine.alive:
        with suppress(Unavailable):
            view.engine.wait(run.id, SHORT_WAIT_SECONDS)


def new(view: View) -> Response:
    """What was chosen to be sent again, before anything is read."""
    if not is_chosen(view):
        return RedirectResponse("/rejects", 303)
    replay = _chosen(view)
    ids = replay.asked.get(REJECTS, ())
    hidden = [("ids", spans(ids))] if ids else [("run", view.query["run"])]
    asking = Asking(
        "rejects", f"Send again {replay.name}", "Show what would be sent", "/rejects",
        effect=(
            f"The flow {replay.flow} reads and proves first, and shows exactly what would be sent. "
            "Nothing is sent before you have confirmed it.",
        ),
        fields=(), hidden=hidden, command=(f"tieout replay {_words(replay)}",),
        template="replay_new.html",
    )  # fmt: skip
    return ask(view, asking)


def _chosen(view: View) -> Replay:
    run = view.field("run") or view.query.get("run", "")
    if run and not (view.each("id") or view.each("ids")):
        return replaying.of_run(view.instance, run)
    return replaying.of_rejects(view.instance, chosen(view))


def _words(replay: Replay) -> str:
    ids = replay.asked.get(REJECTS, ())
    told = " ".join(f"--reject {i}" for i in ids[:REJECTS_TOLD_MAX])
    return told + (" …" if len(ids) > REJECTS_TOLD_MAX else "") or str(replay.asked.get(REPLAY, ""))


def look(view: View) -> Response:
    """Read and prove what would be sent; it is shown when that has ended."""
    run = replaying.begin_preview(view.instance, _chosen(view), view.engine)
    short_wait(view, run)
    return RedirectResponse(f"/replay/{run.id}", 303)


def loaded(view: View) -> Thing:
    """The preview that the path names."""
    replaying.of_preview(view.instance, view.path("run"))
    return Thing(f"Run {view.path('run')}")


def preview(view: View) -> Response:
    """Exactly what would be sent, and what changed since."""
    name = view.path("run")
    run = view.instance.store.run(name)
    if not run.finished:
        return view.page(
            "replay_waits.html", section="rejects", title="What would be sent", run=run,
            replay=replaying.of_preview(view.instance, name), command=(f"tieout show {name}",),
        )  # fmt: skip
    return ask(view, _sending(view, replaying.previewed(view.instance, name, CELLS_SHOWN_MAX)))


def _sending(view: View, found: dict[str, Any]) -> Asking:
    cells = found.get("cells", [])
    rows = found.get("found", 0) or found["rows_to_send"]
    since = [
        f"{counted(count, 'cell')} {one if count == 1 else many}" for count, one, many in (
            (found.get("other_amount", 0), "has another amount than then",
             "have another amount than then"),
            (found.get("by_mapping", 0), "came by a mapping", "came by a mapping"),
        ) if count
    ]  # fmt: skip
    replay = replaying.of_preview(view.instance, found["run"])
    effect = [found["sentence"]] if found["sentence"] else []
    effect += [f"Since then: {', '.join(since)}."] if since else []
    return Asking(
        "rejects",
        f"{counted(rows, 'row')} would be sent: {found['replays']}" if rows
        else "Nothing would be sent",
        f"Send {counted(rows, 'row')} now", "/rejects", effect=effect, fields=(),
        command=(f"tieout replay {_words(replay)} --yes",), template="replay.html",
        more={
            "found": found, "cells": cells, "of": found.get("found", 0),
            "sendable": found["ok"] and rows > 0,
        },
    )  # fmt: skip


def send(view: View) -> Response:
    """Send what the preview showed, as the mirror and JD Edwards say now."""
    found = replaying.previewed(view.instance, view.path("run"), CELLS_SHOWN_MAX)
    replay = replaying.of_preview(view.instance, view.path("run"))

    def carry_out() -> str:
        run = replaying.begin(view.instance, replay, view.engine)
        short_wait(view, run)
        return f"/runs/{run.id}"

    return act(view, _sending(view, found), carry_out)
