"""The configuration: its text, its versions, and changing it, by one person or by two."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.responses import Response

from tieout.core.findings import counted
from tieout.core.policy import Thing
from tieout.errors import Misconfigured, Trouble
from tieout.verbs import configuring
from tieout.web.asking import WHY, Asking, Field, act, ask, others, refused_status, told
from tieout.web.view import View

HERE = "/settings/configuration"
SOURCE = "the text on this page"
LINES_SHOWN_MAX = 2_000  # of a difference


def configuration(view: View) -> Response:
    """Which version holds, since when and why, and what waits for a second person."""
    found = configuring.overview(view.instance)
    version = found["version"]
    verdict = f"Version {version} holds." if version else "Nothing is configured yet."
    if found["file_differs"]:
        verdict = "The file tieout.toml holds what was never applied: nothing runs until it is."
    return view.page(
        "configuration.html", section="settings", title="Configuration", found=found,
        verdict=verdict, tone="attention" if found["file_differs"] or not version else "good",
        text=configuring.exported(view.instance) if version else "",
        two_people=configuring.needs_two_people(view.instance),
        command=("tieout config export", "tieout config plan FILE"),
        evidence=(("Version", version), ("SHA-256", found.get("sha256", ""))),
    )  # fmt: skip


def versions(view: View) -> Response:
    """Every version, newest first."""
    return view.page(
        "config_versions.html", section="settings", title="Versions of the configuration",
        versions=configuring.history(view.instance)[::-1], command=("tieout config history",),
    )  # fmt: skip


def version_loaded(view: View) -> Thing:
    """The version that the path names."""
    number = _number(view.path("version"))
    configuring.exported(view.instance, number)
    return Thing(f"Version {number} of the configuration")


def _number(text: str) -> int:
    if not text.isdecimal() or len(text) > 9:
        raise Misconfigured(f"There is no version {text[:20]!r}.")
    return int(text)


def version(view: View) -> Response:
    """What one version changed, and its text."""
    number = _number(view.path("version"))
    found = next(v for v in configuring.history(view.instance) if v["version"] == number)
    difference = configuring.difference(view.instance, number)
    return view.page(
        "config_version.html", section="settings", title=f"Version {number}", found=found,
        changes=difference["changes"], lines=difference["lines"][:LINES_SHOWN_MAX],
        text=configuring.exported(view.instance, number),
        command=(f"tieout config export --version {number}",),
        evidence=(("Version", number), ("SHA-256", found["sha256"])),
    )  # fmt: skip


# ---------------------------------------------------------------------------- change it


def _editing(view: View, **more: Any) -> Asking:
    held = view.instance.store.config()
    two = configuring.needs_two_people(view.instance)
    return Asking(
        "settings", "Change the configuration",
        "Propose it to a second person" if two else "Apply it", HERE,
        effect=("The whole text of the project. What it would change is said in words first.",),
        fields=(
            Field("text", "Text", "area", held.text if held else "", missing="Write a text."),
            Field("why", "Why it changes", "area", hint="Kept with the version.",
                  missing="Say why."),
        ),
        command=("tieout config plan FILE", "tieout config apply FILE --why …"),
        template="config_edit.html", more={"planned": None, "two_people": two, **more},
        blamed="text",
    )  # fmt: skip


def ask_edit(view: View) -> Response:
    """The text, to be changed."""
    return ask(view, _editing(view))


def edit(view: View) -> Response:
    """What a text would change, in words; or, when that was seen, apply or propose it."""
    text = view.field("text").replace("\r\n", "\n")
    try:
        planned = configuring.plan(view.instance, text, SOURCE)
    except Trouble as trouble:
        return ask(view, _editing(view), {"text": told(trouble)}, refused_status(trouble))
    if view.field("step") != "apply":
        return ask(view, _editing(view, planned=planned))

    def carry_out() -> str:
        replace = view.field("replace") == "yes"
        wanted = configuring.Wanted(text, view.field("why"), replace)
        done = configuring.apply(view.instance, wanted, SOURCE)
        proposal = done["proposal"]
        return f"{HERE}/proposals/{proposal['proposal']}" if proposal else HERE

    return act(view, _editing(view, planned=planned), carry_out)


# ---------------------------------------------------------------------------- a second person


def proposal_loaded(view: View) -> Thing:
    """The proposal that the path names, with who proposed it."""
    found = configuring.proposal(view.instance, view.path("proposal"))
    return Thing(found["proposal"], found["state"], found["proposed_by"])


def proposal(view: View) -> Response:
    """What is proposed, in words, and what a second person can decide."""
    name = view.path("proposal")
    found = configuring.proposal(view.instance, name)
    waits = found["state"] == "prepared"
    planned = configuring.plan_of_proposal(view.instance, name) if waits else None
    thing = proposal_loaded(view)
    may = view.may("approve configuration", thing)
    instead = (
        ""
        if may or not waits
        else (others(view, "approve configuration", thing, "approve it") or may.why_not)
    )
    verdict = (
        f"{counted(len(planned['changes']), 'change')} wait for a second person." if planned
        else f"{name} is {found['state']} by {found['decided_by'] or 'nobody'}."
    )  # fmt: skip
    return view.page(
        "proposal.html", section="settings", title=name, found=found, planned=planned,
        instead=instead, may=bool(may), own=found["proposed_by"] == view.actor.name,
        verdict=verdict, tone="wait" if waits else "quiet",
        command=(f"tieout config approve {name} --digest {found['sha256'][:12]}",),
        evidence=(("Proposal", name), ("SHA-256", found["sha256"])),
    )  # fmt: skip


def _deciding(view: View, word: str, effect: str, fields: tuple[Field, ...] = (WHY,)) -> Asking:
    found = configuring.proposal(view.instance, view.path("proposal"))
    name = found["proposal"]
    return Asking(
        "settings", f"{word} {name}", word, f"{HERE}/proposals/{name}", effect=(effect,),
        facts=(("Proposed by", found["proposed_by"]), ("Why", found["why"])),
        fields=fields, hidden=(("digest", found["sha256"]),),
        command=(f"tieout config {word.lower()} {name} …",),
    )  # fmt: skip


def ask_approve(view: View) -> Response:
    """What approving does."""
    return ask(view, _approving(view))


def _approving(view: View) -> Asking:
    return _deciding(view, "Approve", "It becomes the configuration at once.", ())


def approve(view: View) -> Response:
    """Apply what another person proposed."""
    name = view.path("proposal")
    return _decided(view, _approving(view), lambda: configuring.approve(
        view.instance, name, view.field("digest")
    ))  # fmt: skip


def _declining(view: View) -> Asking:
    return _deciding(view, "Decline", "Nothing is changed; who proposed it reads why.")


def ask_decline(view: View) -> Response:
    """What declining does, and the reason."""
    return ask(view, _declining(view))


def decline(view: View) -> Response:
    """Say no to what another person, or oneself, proposed."""
    return _decided(view, _declining(view), lambda: configuring.decline(
        view.instance, view.path("proposal"), view.field("why")
    ))  # fmt: skip


def _decided(view: View, asking: Asking, decide: Callable[[], Any]) -> Response:
    def carry_out() -> str:
        decide()
        return HERE

    return act(view, asking, carry_out)
