"""Flows: what is loaded or submitted; run it, preview it, load closed periods anew."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.responses import RedirectResponse, Response

from tieout.core.policy import Thing
from tieout.errors import Misconfigured
from tieout.verbs import approving, configuring, flow_overview, replaying, running
from tieout.verbs.replaying import Replay
from tieout.web.asking import Asking, Field, act, ask
from tieout.web.pages.replays import short_wait
from tieout.web.view import View

USUAL, FULL = "usual", "full"
HOW = (
    (USUAL, "What is not proved yet"),
    (FULL, "Everything anew: all is read and compared again"),
)


def flows(view: View) -> Response:
    """Every flow with its last verdict."""
    found = flow_overview.flows(view.instance) if view.instance.store.config() else []
    waiting = _waiting(view)
    attention = [
        f for f in found
        if f["last"] and f["last"]["outcome"] != "complete" and f["flow"] not in waiting
    ]  # fmt: skip
    return view.page(
        "flows.html", section="flows", title="Flows", flows=found, attention=attention,
        waiting=waiting,
        command=("tieout runs", "tieout run FLOW"),
    )  # fmt: skip


def _waiting(view: View) -> dict[str, str]:
    """Flow → the batch of it that waits for another person."""
    return {b["flow"]: b["batch"] for b in approving.approvals(view.instance)}


def loaded(view: View) -> Thing:
    """The flow that the path names."""
    return Thing(f"Flow {flow_overview.flow(view.instance, view.path('flow'))['flow']}")


def plan(view: View) -> Thing:
    """The same, which must be one that submits a plan."""
    found = flow_overview.flow(view.instance, view.path("flow"))
    if not found["is_plan"]:
        raise Misconfigured(f"The flow {found['flow']} submits no plan.")
    return Thing(f"Flow {found['flow']}")


def periods(view: View) -> Thing:
    """The same, which must be one that loads periods."""
    found = flow_overview.flow(view.instance, view.path("flow"))
    if not found["has_periods"]:
        raise Misconfigured(f"The flow {found['flow']} loads no periods.")
    return Thing(f"Flow {found['flow']}")


def flow(view: View) -> Response:
    """One flow: how it stands, what it does, what it is bound to."""
    found = flow_overview.flow(view.instance, view.path("flow"))
    held = view.instance.store.config()
    return view.page(
        "flow.html", section="flows", title=found["flow"], flow=found,
        batch=_waiting(view).get(found["flow"], "") if found["is_plan"] else "",
        config_version=held.version if held else 0,
        file_differs=configuring.overview(view.instance)["file_differs"],
        command=(f"tieout preview {found['flow']}", f"tieout run {found['flow']}"),
        evidence=(("Flow", found["flow"]), ("Configuration", held.version if held else "none")),
    )  # fmt: skip


# ---------------------------------------------------------------------------- run it


def _running(view: View) -> Asking:
    name = view.path("flow")
    fields = [Field("how", "What is read", "select", USUAL, choices=HOW)]
    if _has_periods(view):
        fields.append(Field(
            "unlock", "Load locked periods too, because", "area",
            hint="Empty: locked periods stay as they are. The reason is kept with the run.",
        ))  # fmt: skip
    return Asking(
        "flows", f"Run {name} now", "Run it", f"/flows/{name}",
        effect=(
            "It reads, proves, loads what is not proved, and reads back. It is complete only when "
            "both sides agree to the cent.",
        ),
        fields=fields, command=(f"tieout run {name} [--full] [--unlock REASON]",),
    )  # fmt: skip


def _has_periods(view: View) -> bool:
    """Whether the flow of the path loads periods."""
    return bool(flow_overview.flow(view.instance, view.path("flow"))["has_periods"])


def ask_run(view: View) -> Response:
    """What a run does, and how much it reads."""
    return ask(view, _running(view))


def run(view: View) -> Response:
    """Begin a run; it is followed on its own page."""
    asked: dict[str, Any] = {"full": True} if view.field("how") == FULL else {}
    if unlock := view.field("unlock").strip():
        asked["unlock"] = unlock

    def carry_out() -> str:
        begun = running.begin(view.instance, view.path("flow"), asked=asked, engine=view.engine)
        return f"/runs/{begun.id}"

    return act(view, _running(view), carry_out)


def preview(view: View) -> Response:
    """Read and prove on real data, and say what would be sent; nothing is sent."""
    return _looked(view, lambda: Replay(view.path("flow"), {}, ""))


def _looked(view: View, replay: Callable[[], Replay]) -> Response:
    begun = replaying.begin_preview(view.instance, replay(), view.engine)
    short_wait(view, begun)
    return RedirectResponse(f"/replay/{begun.id}", 303)


def _backfilling(view: View) -> Asking:
    name = view.path("flow")
    facts = dict(flow_overview.flow(view.instance, name)["facts"])
    return Asking(
        "flows", f"Load periods of {name} anew", "Show what would be sent", f"/flows/{name}",
        effect=(
            "The periods are read anew from JD Edwards, locked ones too, and sent whole. What "
            "would be sent is shown first.",
        ),
        facts=[(word, facts[word]) for word in ("Periods", "Companies", "Locked through")],
        fields=(
            Field("first", "First period", hint="Such as 2024-01.",
                  missing="Write the first period."),
            Field("last", "Last period", missing="Write the last period."),
            Field("companies", "Only these companies", hint="By commas; empty: all of the flow."),
            Field("why", "Why", "area", hint="Kept with the run.", missing="Say why."),
        ),
        command=(f"tieout backfill {name} --from P --to P --why …",),
    )  # fmt: skip


def ask_backfill(view: View) -> Response:
    """Which periods, and why."""
    return ask(view, _backfilling(view))


def backfill(view: View) -> Response:
    """Read periods anew, and show what would be sent."""
    companies = view.field("companies").replace(",", " ").split()

    def carry_out() -> str:
        replay = replaying.backfill(
            view.instance, view.path("flow"), view.field("first").strip(),
            view.field("last").strip(), companies=companies, why=view.field("why"),
        )  # fmt: skip
        begun = replaying.begin_preview(view.instance, replay, view.engine)
        short_wait(view, begun)
        return f"/replay/{begun.id}"

    return act(view, _backfilling(view), carry_out)
