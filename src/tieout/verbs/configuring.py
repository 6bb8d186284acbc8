"""The configuration as code: exported, compared in words, applied by one person or by two.

The database holds it, version by version; `HOME/tieout.toml` is its working copy
(docs/decisions/0026-configuration-in-the-database.md).
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import msgspec

from tieout.app import PROJECT_FILE, Instance
from tieout.core.policy import RIGHTS, Thing
from tieout.doors import secret_name
from tieout.errors import Misconfigured, Refused
from tieout.flows.configured import configured, target
from tieout.project import TWO_PEOPLE, Project, SubmitPlan
from tieout.project_text import LAYOUT_ALONE, changes, differences, read_file, write_file
from tieout.settings import read_project
from tieout.store import configs, people, registers
from tieout.store.configs import Config, Proposal
from tieout.verbs import acting

CONFIGURE: Final = "configure"
APPROVE: Final = "approve configuration"
WAITS = 7  # exit code, docs/reference/exit-codes.md
SCHEMA_DIALECT = "https://json-schema.org/draft/2020-12/schema"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A text that somebody wants to be the configuration, why, and over what."""

    text: str
    why: str
    replace: bool = False  # also where HOME/tieout.toml holds what was never applied


def overview(instance: Instance) -> dict[str, Any]:
    """Which version holds, since when and why, whether the file says the same, and what waits."""
    acting.require(instance, "view")
    held = instance.store.config()
    path = instance.home / PROJECT_FILE
    differs: list[str] = []
    if held is not None and path.exists() and (written := read_file(path)) != held.text:
        differs = differences(held.text, written)
    with instance.store.database.read() as connection:
        waiting = [_proposal_as_json(p) for p in configs.proposals(connection, ("prepared",))]
    return {
        "ok": True, **(_as_json(held) if held else {"version": None}), "file": str(path),
        "file_differs": differs, "waiting": waiting,
    }  # fmt: skip


def exported(instance: Instance, version: int | None = None, proposal: str = "") -> str:
    """The text of the configuration that holds, or held as `version`, or is proposed, unchanged."""
    acting.require(instance, "view")
    if proposal:
        return _proposed(instance, proposal).text
    config = instance.store.config(version)
    if config is None:
        words = "Nothing is configured yet" if version is None else f"There is no version {version}"
        raise Misconfigured(f"{words}.", do="`tieout config history` lists the versions.")
    return config.text


def history(instance: Instance) -> list[dict[str, Any]]:
    """Every version, oldest first: when, who, why, and how many keys it changed."""
    acting.require(instance, "view")
    with instance.store.database.read() as connection:
        found = registers.configurations(connection)
    told, before = [], ""
    for config in found:
        told.append(_as_json(config) | {"changes": len(changes(before, config.text))})
        before = config.text
    return told


def difference(instance: Instance, version: int) -> dict[str, Any]:
    """What a version changed against the one before, key by key in words, and line by line."""
    acting.require(instance, "view")
    config = instance.store.config(version)
    if config is None:
        raise Misconfigured(f"There is no version {version}.")
    with instance.store.database.read() as connection:
        earlier = [c for c in registers.configurations(connection) if c.version < version]
    before = max(earlier, key=lambda c: c.version).text if earlier else ""
    told = [f"{change.in_words()}." for change in changes(before, config.text)]
    return {"version": version, "changes": told, "lines": _lines(before, config.text)}


def proposal(instance: Instance, name: str) -> dict[str, Any]:
    """A proposal as it stands; Misconfigured when there is none of this name."""
    return _proposal_as_json(_proposed(instance, name))


def schema() -> dict[str, Any]:
    """JSON Schema of `tieout.toml`, for editors."""
    told = msgspec.json.schema(Project)
    return {"$schema": SCHEMA_DIALECT, "title": PROJECT_FILE, **told}


# ------------------------------------------------------------------ plan


def plan(instance: Instance, text: str, source: str) -> dict[str, Any]:
    """What applying a text would change, key by key and in what follows; Misconfigured as applied.

    Nothing is changed.
    """
    acting.require(instance, "view")
    wanted = read_project(text, source)
    held = instance.store.config()
    before = held.text if held else ""
    found = changes(before, text)
    told = [asdict(change) | {"what": f"{change.in_words()}."} for change in found]
    if not found and text != before:
        told = [{"key": "", "before": None, "after": None, "what": _sentence(LAYOUT_ALONE)}]
    return {
        "ok": True, "version": held.version if held else None, "sha256": configs.digest_of(text),
        "changes": told, "follows": _follows(instance, wanted), "lines": _lines(before, text),
        "two_people": takes_two_people(instance, wanted),
    }  # fmt: skip


def plan_of_proposal(instance: Instance, proposal: str) -> dict[str, Any]:
    """The same of what was proposed, with who proposed it and why."""
    found = _proposed(instance, proposal)
    return plan(instance, found.text, found.id) | {"proposal": _proposal_as_json(found)}


def _lines(before: str, after: str) -> list[str]:
    """The two texts line by line, as a patch."""
    old, new = before.splitlines(), after.splitlines()
    return list(difflib.unified_diff(old, new, "applied", "wanted", lineterm=""))


def _follows(instance: Instance, wanted: Project) -> list[str]:
    """What a person would not see from the keys: what is read anew, and what is still to be done.

    Sentences.
    """
    held = instance.applied() if instance.store.config() else Project()
    told = []
    for name, flow in wanted.flows.items():
        before = held.flows.get(name)
        if before is None or configured(held, before) == configured(wanted, flow):
            continue
        if target(held, before) != target(wanted, flow):
            told.append(f"{name} loads elsewhere: what was proved before counts no more.")
        else:
            told.append(f"{name} reads everything anew at its next run.")
    for name in held.flows.keys() - wanted.flows.keys():
        told.append(f"{name} runs no more; its records and history stay.")
    sealed = {note.name for note in instance.store.safe.listed()}
    for name, connection in wanted.connections.items():
        if secret_name(connection.secret) not in sealed:
            told.append(f"{name} needs credentials: `tieout connect {name}`.")
    return sorted(told)


# ------------------------------------------------------------------ apply


def apply(instance: Instance, wanted: Wanted, source: str) -> dict[str, Any]:
    """Make a text the configuration, or propose it where two people are needed.

    The configuration itself is not touched by a text that says the same byte for byte.
    Misconfigured for a mistake in it, without a reason, or when HOME/tieout.toml holds what was
    never applied and `replace` is not asked.
    """
    by = acting.require(instance, CONFIGURE)
    project = read_project(wanted.text, source)
    held = instance.store.config()
    path = instance.home / PROJECT_FILE
    written = read_file(path) if path.exists() else None
    known = (None, wanted.text, held.text if held else None)
    if written not in known and not wanted.replace:
        told = "; ".join(differences(held.text if held else "", written or ""))
        raise Misconfigured(
            f"{path} holds what was never applied: {told}.", untouched="Nothing was applied.",
            do="Look with `tieout config plan`; then apply the file, or write over it with "
            "--replace.",
        )  # fmt: skip
    planned = plan(instance, wanted.text, source)
    if held is not None and held.text == wanted.text:
        if written is not None and written != wanted.text:
            write_file(path, wanted.text)
        return {**planned, "applied": False, "proposal": None}
    if not wanted.why.strip():
        raise Misconfigured(
            "A configuration is not applied without a reason.", untouched="Nothing was applied.",
            do="Say with --why why it changes.",
        )  # fmt: skip
    _refuse_one_alone(instance, project, planned["two_people"])
    if planned["two_people"]:
        return planned | _proposal(instance, wanted, by.name, written)
    applied = instance.store.apply_config(wanted.text, by.name, wanted.why)
    if written != wanted.text:
        write_file(path, wanted.text)
    return {**planned, "version": applied.version, "applied": True, "proposal": None}


def _proposal(instance: Instance, wanted: Wanted, by: str, written: str | None) -> dict[str, Any]:
    """Propose a text; the working copy goes back to what holds, so that runs go on meanwhile."""
    with instance.store.begin() as connection:
        new = configs.propose(connection, wanted.text, by, wanted.why, instance.clock.now())
    held = instance.store.config()
    if held is not None and written not in (None, held.text):
        write_file(instance.home / PROJECT_FILE, held.text)
    return {"applied": False, "proposal": _proposal_as_json(new), "exit_code": WAITS}


def approve(instance: Instance, proposal: str, digest: str) -> dict[str, Any]:
    """Apply what another person proposed, exactly the text with this digest."""
    token, at = acting.held_token(instance), instance.clock.now()
    with instance.store.begin() as connection:
        held = configs.proposal(connection, proposal)
        thing = Thing(held.id, held.state, held.proposed_by)
        by = acting.allowed(people.who(connection, token, at), APPROVE, thing)
        read_project(held.text, held.id)
        before = configs.current(connection)
        config = configs.approve(connection, held, digest, by.name, at)
    path = instance.home / PROJECT_FILE
    kept = before is None or not path.exists() or read_file(path) in (before.text, config.text)
    if kept:
        write_file(path, config.text)
    return {"ok": True, **_as_json(config), "proposal": held.id, "file_written": kept}


def decline(instance: Instance, proposal: str, why: str) -> dict[str, Any]:
    """Say no to a proposed configuration; who proposed it takes it back."""
    if not why.strip():
        raise Misconfigured(
            f"{proposal} is not declined without a reason.", untouched="It still waits.",
            do="Say with --why why not.",
        )  # fmt: skip
    token, at = acting.held_token(instance), instance.clock.now()
    with instance.store.begin() as connection:
        held = configs.proposal(connection, proposal)
        thing = Thing(held.id, held.state, held.proposed_by)
        actor = people.who(connection, token, at)
        own = actor.name == held.proposed_by
        by = acting.allowed(actor, CONFIGURE if own else APPROVE, thing)
        done = configs.decline(connection, held, by.name, why, at)
    return {"ok": True, **_proposal_as_json(done)}


def _needs_two(instance: Instance) -> bool:
    """Whether what holds says that two people change it: not the text that wants to hold."""
    return instance.applied().policy.configuration == TWO_PEOPLE


def needs_two_people(instance: Instance) -> bool:
    """Whether the applied policy asks for two people."""
    return instance.store.config() is not None and _needs_two(instance)


def takes_two_people(instance: Instance, wanted: Project) -> bool:
    """Whether a second person has to apply this: by the policy, or for what it takes away.

    Journals that nobody has to approve are themselves approved by two people, if there are users.
    """
    if needs_two_people(instance):
        return True
    held = instance.applied() if instance.store.config() else Project()
    with instance.store.database.read() as connection:
        users = people.there_are_users(connection)
    return users and any(
        isinstance(flow, SubmitPlan) and flow.approval == "none" and held.flows.get(name) != flow
        for name, flow in wanted.flows.items()
    )


def _refuse_one_alone(instance: Instance, wanted: Project, two_people: bool) -> None:
    """Refused where two people are needed, now or from now on, and there are not two."""
    if wanted.policy.configuration != TWO_PEOPLE and not two_people:
        return
    with instance.store.database.read() as connection:
        users = [user.actor for user in people.users(connection)]
    first = {user.name for user in users if user.roles & set(RIGHTS[CONFIGURE])}
    second = {user.name for user in users if user.roles & set(RIGHTS[APPROVE])}
    if not any(first - {name} for name in second):
        roles = " or ".join(RIGHTS[APPROVE])
        policy = wanted.policy.configuration == TWO_PEOPLE
        raise Refused(
            "The policy asks for two people to change the configuration, and this instance does "
            "not have them: nobody could ever change it again."
            if policy
            else "That nobody has to approve journals takes two people to apply, and this instance "
            "does not have them.",
            untouched="Nothing was applied.",
            do=f"Add an {RIGHTS[CONFIGURE][0]} and another user with the role {roles} first: "
            "`tieout users add`.",
        )


def _proposed(instance: Instance, proposal: str) -> Proposal:
    acting.require(instance, "view")
    with instance.store.database.read() as connection:
        return configs.proposal(connection, proposal)


def _sentence(words: str) -> str:
    return f"{words[0].upper()}{words[1:]}."


def _as_json(config: Config) -> dict[str, Any]:
    names: Sequence[str] = [n for n in Config.__slots__ if n != "text"]
    return {name: getattr(config, name) for name in names}


def _proposal_as_json(found: Proposal) -> dict[str, Any]:
    named = {"proposal": found.id}
    names = [n for n in Proposal.__slots__ if n not in ("id", "text")]
    return named | {name: getattr(found, name) for name in names}
