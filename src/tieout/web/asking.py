"""An act on a page of its own: what it does in numbers, what it asks, and what was wrong with it.

Nothing that was written is lost when it cannot be done.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.responses import RedirectResponse, Response

from tieout.core.policy import Act, Thing, who_may
from tieout.errors import NotAllowed, Trouble
from tieout.verbs import acting
from tieout.web.statuses import status_of
from tieout.web.view import View

WRONG_STATUS, CONFLICT_STATUS, FAILED_STATUS = 422, 409, 500


@dataclass(frozen=True, slots=True)
class Field:
    """One thing that is asked: `kind` is text, area, select, tick, password, pem or file."""

    name: str
    label: str
    kind: str = "text"
    value: str = ""
    hint: str = ""
    choices: Sequence[tuple[str, str]] = ()
    missing: str = ""  # what is said when it was left empty; "": it may be

    def filled(self, view: View) -> str:
        """What it holds: what was sent, else what it began with; never a secret."""
        if self.kind in ("password", "file", "pem"):
            return ""
        return view.field(self.name) if self.name in view.form else self.value


WHY = Field("why", "Why", "area", hint="Kept with it.", missing="Say why.")


@dataclass(frozen=True, slots=True)
class Asking:
    """An act, before it is done."""

    section: str
    heading: str
    button: str
    back: str  # where one goes without doing it
    effect: Sequence[str] = ()  # sentences, with numbers
    facts: Sequence[tuple[str, object]] = ()
    fields: Sequence[Field] = (WHY,)
    hidden: Sequence[tuple[str, str]] = ()
    danger: bool = False
    command: Sequence[str] = ()
    template: str = "act.html"
    more: Mapping[str, Any] | None = None  # what another template shows besides
    blamed: str = ""  # the field that a refusal is about; "": the first one

    @property
    def first(self) -> str:
        """The name of the field that a refusal leads to."""
        return self.blamed or (self.fields[0].name if self.fields else "")


def ask(
    view: View, asking: Asking, errors: Mapping[str, str] | None = None, status: int = 200
) -> Response:
    """The page of an act; it is sent to the address where it stands."""
    return view.page(
        asking.template, section=asking.section, title=asking.heading, asking=asking,
        errors=errors or {}, status=WRONG_STATUS if errors and status == 200 else status,
        command=asking.command, **(asking.more or {}),
    )  # fmt: skip


def act(view: View, asking: Asking, carry_out: Callable[[], str]) -> Response:
    """Do it, and go where it says; or the page again, with what was wrong and all that was sent."""
    errors = {
        f.name: f.missing for f in asking.fields if f.missing and not view.field(f.name).strip()
        and f.kind != "file"
    }  # fmt: skip
    if errors:
        return ask(view, asking, errors)
    try:
        return RedirectResponse(carry_out(), 303)
    except Trouble as trouble:
        if isinstance(trouble, NotAllowed):
            acting.tell_denied(view.site.instance, trouble)
        return ask(view, asking, {asking.first: told(trouble)}, refused_status(trouble))


def refused_status(trouble: Trouble) -> int:
    """The status of a page that says why something was not done; no page of ours failed by it."""
    status = status_of(trouble)
    return status if status < FAILED_STATUS else CONFLICT_STATUS


def told(trouble: Trouble) -> str:
    """A refusal as a page says it, with who can do it."""
    who = f" It takes {trouble.who}." if isinstance(trouble, NotAllowed) and trouble.who else ""
    return trouble.sentence() + who


def others(view: View, right: Act, on: Thing, what: str) -> str:
    """Who can do what oneself may not, as a sentence: pat or alex can approve it."""
    names = who_may(acting.everybody(view.instance), right, on)
    return f"{' or '.join(names)} can {what}." if names else ""
