"""Calendar: the schedules with their next times, periods, and what people decide about them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.responses import Response

from tieout.core.findings import counted
from tieout.core.policy import Thing
from tieout.verbs import schedule_overview, scheduling
from tieout.web.asking import WHY, Asking, Field, act, ask
from tieout.web.view import View


def calendar(view: View) -> Response:
    """Every schedule: its next five times with zone, who paused it, its last times."""
    found: dict[str, Any] = {"schedules": [], "at": view.instance.clock.now()}
    if view.instance.store.config():
        found = schedule_overview.overview(view.instance)
    told: list[dict[str, Any]] = found["schedules"]
    amiss = [s["schedule"] for s in told if s["amiss"]]
    asks = [s["schedule"] for s in told if s["asks"]]
    if amiss:
        verdict, tone = f"Something did not run as it should: {', '.join(amiss)}.", "bad"
    elif asks:
        verdict, tone = f"A missed time waits for an answer: {', '.join(asks)}.", "wait"
    else:
        first = min((s["next"][0] for s in told if s["next"]), key=lambda t: t["at"], default=None)
        verdict = f"Next: {first['spelled']}." if first else "No time is known to come."
        tone = "good" if first else "quiet"
    return view.page(
        "calendar.html", section="calendar", title="Calendar", schedules=told, at=found["at"],
        verdict=verdict, tone=tone, years=schedule_overview.periods(view.instance) if told else [],
        command=("tieout schedule",),
    )  # fmt: skip


def loaded(view: View) -> Thing:
    """The schedule that the path names."""
    name = view.path("schedule")
    schedule_overview.known(view.instance, name)
    return Thing(f"Schedule {name}")


def _schedule(view: View) -> dict[str, Any]:
    found: dict[str, Any] = schedule_overview.overview(view.instance, view.path("schedule"))[
        "schedules"
    ][0]
    return found


def _steering(view: View, word: str, effect: str, fields: tuple[Field, ...] = (WHY,)) -> Asking:
    found = _schedule(view)
    name = found["schedule"]
    command = word.split(maxsplit=1)[0].lower()
    upcoming = [time["spelled"] for time in found["next"]]
    return Asking(
        "calendar", f"{word}: {name}", word, f"/calendar#{name}",
        effect=(effect.format(next=upcoming[0] if upcoming else "the next time"),),
        facts=[("When", found["when"]), ("Runs", ", ".join(found["run"])),
               ("Next times", "; ".join(upcoming) or "none is known")],
        fields=fields, command=(f"tieout schedule {command} {name} --why …",),
    )  # fmt: skip


def _then_calendar(view: View, asking: Asking, decide: Callable[[], Any]) -> Response:
    def carry_out() -> str:
        decide()
        return f"/calendar#{view.path('schedule')}"

    return act(view, asking, carry_out)


def _skipping(view: View) -> Asking:
    return _steering(view, "Skip the next time", "{next} is left out, once.")


def ask_skip(view: View) -> Response:
    """Which time is left out, and why."""
    return ask(view, _skipping(view))


def skip(view: View) -> Response:
    """Leave the next time out."""
    return _then_calendar(view, _skipping(view), lambda: scheduling.skip(
        view.instance, view.path("schedule"), view.field("why")
    ))  # fmt: skip


def _pausing(view: View) -> Asking:
    until = Field(
        "until", "Until", hint="A day or minute in the zone of the schedule: 2026-12-01 06:00.",
        missing="Write a day.",
    )  # fmt: skip
    effect = "Every time until then is left out; nothing is caught up afterwards."
    return _steering(view, "Pause until", effect, (until, WHY))


def ask_pause(view: View) -> Response:
    """Until when, and why."""
    return ask(view, _pausing(view))


def pause(view: View) -> Response:
    """Leave every time out until a day."""
    return _then_calendar(view, _pausing(view), lambda: scheduling.pause(
        view.instance, view.path("schedule"), view.field("until").strip(), view.field("why")
    ))  # fmt: skip


def _resuming(view: View) -> Asking:
    effect = "A pause, or a skip that has not come yet, ends now."
    return _steering(view, "Resume", effect)


def ask_resume(view: View) -> Response:
    """What resuming does."""
    return ask(view, _resuming(view))


def resume(view: View) -> Response:
    """End a pause or a skip."""
    return _then_calendar(view, _resuming(view), lambda: scheduling.resume(
        view.instance, view.path("schedule"), view.field("why")
    ))  # fmt: skip


def _running(view: View) -> Asking:
    flows = counted(len(_schedule(view)["run"]), "flow")
    effect = f"Its {flows} run now, one after the other, beside the times of the schedule."
    return _steering(view, "Run now", effect)


def ask_run(view: View) -> Response:
    """What runs now, and why."""
    return ask(view, _running(view))


def run(view: View) -> Response:
    """Run the flows of a schedule now."""

    def begin() -> None:
        scheduling.run(view.instance, view.path("schedule"), view.field("why"))
        view.engine.start()

    return _then_calendar(view, _running(view), begin)


def _answering(view: View) -> Asking:
    choices = (("run", "Run it now"), ("skip", "Leave it out"))
    answer = Field("answer", "The missed time", "select", "run", choices=choices)
    return _steering(
        view, "Answer for a missed time", "A time was missed and asks what is to be done.",
        (answer, WHY),
    )  # fmt: skip


def ask_answer(view: View) -> Response:
    """Whether a missed time runs now, or is left out."""
    return ask(view, _answering(view))


def answer(view: View) -> Response:
    """Say what becomes of a missed time."""

    def decide() -> None:
        runs = view.field("answer") == "run"
        scheduling.answer(
            view.instance, view.path("schedule"), runs=runs, why=view.field("why")
        )  # fmt: skip
        view.engine.start()

    return _then_calendar(view, _answering(view), decide)
