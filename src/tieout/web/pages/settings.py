"""Settings: notices, keys, and what is kept for how long."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from starlette.responses import RedirectResponse, Response

from tieout.core.findings import counted
from tieout.core.listing import Column, Wanted, page_of
from tieout.core.policy import Act, Thing
from tieout.errors import Misconfigured, Trouble
from tieout.verbs import flow_overview, keeping_keys, notice_overview, notifying, retaining
from tieout.web.asking import WHY, Asking, Field, act, ask, told
from tieout.web.table import List
from tieout.web.view import View
from tieout.web.words_of_pages import size


@dataclass(frozen=True, slots=True)
class Place:
    """Something that can be set, its address, and the act that it takes to see it."""

    word: str
    address: str
    right: Act
    what: str


PLACES = (
    Place("Configuration", "/settings/configuration", "view",
          "What is connected, loaded and scheduled"),
    Place("People", "/settings/people", "read trail", "Who may what, and who has reviewed it"),
    Place("Keys", "/settings/keys", "set credentials", "What seals the credentials"),
    Place("Retention", "/settings/retention", "view",
          "What is kept for how long, and legal holds"),
    Place("Notices", "/settings/notices", "view", "Who is told elsewhere, and of what"),
)  # fmt: skip
NOTES = (
    Column("at", "At", kind="moment", sort=True),
    Column("notice", "Notice", find="equals"),
    Column("event", "Event", find="equals"),
    Column("state", "State", find="equals"),
    Column("tries", "Tries", kind="count"),
    Column("words", "What was said, or why it was not", kind="words"),
)


def settings(view: View) -> Response:
    """What there is to set."""
    places = [place for place in PLACES if view.may(place.right)]
    return view.page(
        "settings.html", section="settings", title="Settings", places=places,
        command=("tieout config", "tieout keys", "tieout retention", "tieout notices"),
    )  # fmt: skip


# ---------------------------------------------------------------------------- notices


def notices(view: View) -> Response:
    """Who is told, and what was sent or could not be."""
    return _notices(view)


def _notices(view: View, done: str = "", trouble: Trouble | None = None) -> Response:
    found = notice_overview.notices(view.instance)
    rows = found["sent"]
    listed = List(
        "notices", "What was told, newest first", "notices", NOTES, Wanted("at", descending=True),
        lambda wanted: page_of(rows, NOTES, wanted, "key"),
    )  # fmt: skip
    if not done and trouble is None and (file := listed.file(view)):
        return file
    failed = [row for row in rows if row["state"] in ("failed", "uncertain")]
    return view.page(
        "notices.html", section="settings", title="Notices", configured=found["configured"],
        shown=listed.shown(view), failed=failed, done=done,
        trouble=told(trouble) if trouble else "",
        command=("tieout notices", "tieout notices test NAME"),
    )  # fmt: skip


def notice_loaded(view: View) -> Thing:
    """The notice, or the heartbeat of a schedule, that the path names."""
    name = view.path("notice")
    if name not in {one["name"] for one in notice_overview.notices(view.instance)["configured"]}:
        raise Misconfigured(f"There is no notice {name!r}.")
    return Thing(f"Notice {name}")


def test_notice(view: View) -> Response:
    """Send one notice that says that it is a test."""
    name = view.path("notice")
    try:
        notifying.test(view.instance, name)
    except Trouble as trouble:
        return _notices(view, trouble=trouble)
    return _notices(view, done=f"A test was sent through {name}.")


def _addressing(view: View) -> Asking:
    name = view.path("notice")
    address = Field("url", "Address", "password", missing="Write the address.",
                    hint="Of a webhook, or of a messenger as apprise writes it.")  # fmt: skip
    return Asking(
        "settings", f"Address of {name}", "Seal it", "/settings/notices",
        effect=("It is sealed at once and never shown again.",), fields=(address,),
        command=(f"tieout notices connect {name}",),
    )  # fmt: skip


def ask_address(view: View) -> Response:
    """The form of an address; it never shows what there is."""
    return ask(view, _addressing(view))


def keep_address(view: View) -> Response:
    """Seal the address of a notice."""
    return _then(view, _addressing(view), "/settings/notices", lambda: notifying.connect(
        view.instance, view.path("notice"), {"url": view.field("url")}
    ))  # fmt: skip


def _then(view: View, asking: Asking, to: str, decide: Callable[[], Any]) -> Response:
    def carry_out() -> str:
        decide()
        return to

    return act(view, asking, carry_out)


# ---------------------------------------------------------------------------- keys


def keys(view: View) -> Response:
    """The keys by their names, and what each opens; a wrong key is named."""
    trouble = None
    found: dict[str, Any] = {"place": view.instance.store.safe.keys.name, "keys": []}
    try:
        found = keeping_keys.known(view.instance)
    except Trouble as error:
        trouble = error
    return view.page(
        "keys.html", section="settings", title="Keys", found=found,
        trouble=told(trouble) if trouble else "",
        command=("tieout keys", "tieout keys rotate"),
    )  # fmt: skip


def _rotating(view: View) -> Asking:
    choices = (
        ("all", "Make a new key and seal everything with it"),
        ("prepare", "Only lay the new key beside the old one"),
    )
    sealed = sum(key["credentials"] for key in keeping_keys.known(view.instance)["keys"])
    return Asking(
        "settings", "Change the key", "Change it", "/settings/keys",
        effect=(
            f"A new key is made and {counted(sealed, 'credential')} are sealed with it; the old "
            "one leaves its place. Nobody has to enter credentials again.",
            "Where several machines share this instance, bring the new key to each of them first.",
        ),
        fields=(Field("how", "How far", "select", "all", choices=choices),), danger=True,
        command=("tieout keys rotate [--prepare]",),
    )  # fmt: skip


def ask_rotate(view: View) -> Response:
    """What changing the key does."""
    return ask(view, _rotating(view))


def rotate(view: View) -> Response:
    """Change the key, or go on with a change that was interrupted."""
    return _then(view, _rotating(view), "/settings/keys", lambda: keeping_keys.rotate(
        view.instance, prepare_only=view.field("how") == "prepare"
    ))  # fmt: skip


# ---------------------------------------------------------------------------- retention


def retention(view: View) -> Response:
    """What is kept by kind and rule, the holds, and what a purge would remove now."""
    found, due = retaining.both(view.instance)
    files = sum(kind["files"] for kind in due["kinds"])
    octets = sum(kind["bytes"] for kind in due["kinds"])
    rows = sum(kind["rows"] for kind in due["kinds"])
    verdict = (
        f"A purge would remove {counted(rows, 'row')} in {counted(files, 'file')}, {size(octets)}."
        if due["items"] else "A purge would remove nothing now."
    )  # fmt: skip
    standing = [hold for hold in found["holds"] if hold["released_at"] is None]
    return view.page(
        "retention.html", section="settings", title="Retention", found=found, due=due,
        verdict=verdict, standing=standing,
        command=("tieout retention", "tieout retention preview"),
        evidence=(("Digest of the preview", due["digest"] if due["items"] else "nothing is due"),),
    )  # fmt: skip


def _purging(view: View) -> Asking:
    due = retaining.preview(view.instance)
    rows = sum(kind["rows"] for kind in due["kinds"])
    files = sum(kind["files"] for kind in due["kinds"])
    facts = [
        (kind["kind"], f"{kind['rows']:,} rows in {kind['files']:,} files, {size(kind['bytes'])}, "
         f"older than {kind['rule']}") for kind in due["kinds"]
    ]  # fmt: skip
    return Asking(
        "settings", "Remove what its rules no longer keep", "Remove it for good",
        "/settings/retention",
        effect=(
            f"{counted(rows, 'row')} in {counted(files, 'file')} are removed for good; their "
            "totals and hashes remain, and the trail says who did it.",
        ),
        facts=facts, fields=(
            WHY, Field("word", "Write “remove”", hint="It cannot be taken back.",
                       missing="Write “remove” to say that it is meant."),
        ),
        hidden=(("digest", view.field("digest") or due["digest"]),), danger=True,
        command=(f"tieout retention purge --digest {due['digest'][:12]}",),
    )  # fmt: skip


def ask_purge(view: View) -> Response:
    """Exactly what goes, and the word that says that it is meant; back where nothing is due."""
    if not retaining.preview(view.instance)["items"]:
        return RedirectResponse("/settings/retention", 303)
    return ask(view, _purging(view))


def purge(view: View) -> Response:
    """Remove exactly what was shown."""

    def remove() -> None:
        if view.field("word").strip().casefold() != "remove":
            raise Misconfigured("“remove” was not written.", untouched="Nothing was removed.")
        retaining.purge(view.instance, view.field("digest"), view.field("why"))

    return _then(view, _purging(view), "/settings/retention", remove)


def _holding(view: View) -> Asking:
    flows = flow_overview.flows(view.instance) if view.instance.store.config() else []
    choices = [("", "every flow"), *((f["flow"], f["flow"]) for f in flows)]
    return Asking(
        "settings", "Keep records whatever the rules say", "Place the hold", "/settings/retention",
        effect=("No purge removes what a hold keeps, until it is released.",),
        fields=(
            Field("name", "Name", hint="Such as audit-2026.", missing="Write a name."),
            Field("flow", "Of", "select", "", choices=choices),
            Field("company", "Company", hint="Empty: all."),
            WHY,
        ),
        command=("tieout retention hold NAME --why …",),
    )  # fmt: skip


def ask_hold(view: View) -> Response:
    """What is held, and why."""
    return ask(view, _holding(view))


def hold(view: View) -> Response:
    """Place a legal hold."""
    return _then(view, _holding(view), "/settings/retention", lambda: retaining.hold(
        view.instance, view.field("name").strip(), flow=view.field("flow"),
        company=view.field("company").strip(), why=view.field("why"),
    ))  # fmt: skip


def hold_loaded(view: View) -> Thing:
    """The hold that the path names."""
    name = view.path("hold")
    if name not in {hold["name"] for hold in retaining.overview(view.instance)["holds"]}:
        raise Misconfigured(f"There is no hold {name!r}.")
    return Thing(f"Hold {name}")


def _releasing(view: View) -> Asking:
    name = view.path("hold")
    return Asking(
        "settings", f"Release the hold {name}", "Release it", "/settings/retention",
        effect=("What it kept can be purged again, once its rule says so.",), danger=True,
        command=(f"tieout retention release {name} --why …",),
    )  # fmt: skip


def ask_release(view: View) -> Response:
    """What releasing a hold means, and the reason."""
    return ask(view, _releasing(view))


def release(view: View) -> Response:
    """End a hold."""
    return _then(view, _releasing(view), "/settings/retention", lambda: retaining.release(
        view.instance, view.path("hold"), view.field("why")
    ))  # fmt: skip
