"""Evidence packs: everything an auditor asks about a period, in one file that proves itself."""

from __future__ import annotations

import re

from starlette.responses import FileResponse, RedirectResponse, Response

from tieout.core.policy import Thing
from tieout.errors import NotAllowed, Trouble
from tieout.verbs import cockpit, packs, running
from tieout.web.view import View

PERIOD = re.compile(r"\d{4}-\d{2}")


def evidence(view: View, errors: dict[str, str] | None = None, made: str = "") -> Response:
    """The packs that were made, and the form that makes one."""
    periods = [p["period"] for p in cockpit.periods(view.instance)][::-1]
    return view.page(
        "evidence.html", section="audit", title="Evidence packs", packs=packs.listed(view.instance),
        periods=[(p, p) for p in periods], errors=errors or {},
        flows=[("", "All flows"), *((f, f) for f in running.actuals_flows(view.instance))],
        chosen=view.field("period"), status=422 if errors else 200,
        command=("tieout evidence PERIOD",),
    )  # fmt: skip


def make(view: View) -> Response:
    """Make a pack; then back to the list, where it can be taken."""
    period, flow = view.field("period"), view.field("flow") or None
    if not PERIOD.fullmatch(period):
        return evidence(view, {"period": "Choose a period."})
    try:
        packs.make(view.instance, period, flow)
    except NotAllowed:
        raise
    except Trouble as error:
        return evidence(view, {"": error.sentence()})
    return RedirectResponse("/evidence", 303)


def loaded(view: View) -> Thing:
    """The pack that the path names."""
    return Thing(packs.file(view.instance, view.path("pack")).name)


def pack(view: View) -> Response:
    """One pack as a download."""
    path = packs.file(view.instance, view.path("pack"))
    return FileResponse(path, media_type="application/zip", filename=path.name)
