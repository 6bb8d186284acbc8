"""What a flow is bound to in both systems, and how that drifted since it was last used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from tieout.core.findings import Finding, Severity, counted

NAMES_SHOWN_MAX = 6
# Columns in their order; inputs with their kinds; a text such as the file an import reads.
Facet: TypeAlias = "Sequence[str] | Mapping[str, str] | str"
FACETS = {
    "columns": "column", "inputs": "input", "actions": "action", "dimensions": "dimension",
    "source": "the file it reads", "format": "its format", "type": "its type",
    "reader": "the import that reads the file", "module": "its module", "layout": "its layout",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Thing:
    """One import, export, process, list, view, file or orchestration as it was seen.

    `told`: what of it matters to who uses it, by FACETS; what was not asked for is not there.
    """

    kind: str  # in the singular, as a person says it: import
    id: str
    name: str
    told: Mapping[str, Facet] = field(default_factory=dict)

    @property
    def subject(self) -> str:
        """As a finding names it."""
        return f"{self.kind} {self.name}"


def changes(before: Thing, now: Thing) -> list[str]:
    """What became of a thing since, each in words; nothing when it is as it was."""
    found = []
    if before.id != now.id:
        found.append(f"another one has the name now (id {now.id}, was {before.id})")
    if before.name != now.name:
        found.append(f"it was renamed from {before.name!r}")
    for name in sorted({*before.told} & {*now.told}):
        found += _changed(name, before.told[name], now.told[name])
    return found


def _changed(name: str, old: Facet, new: Facet) -> list[str]:
    word = FACETS.get(name, name)
    if isinstance(old, str) or isinstance(new, str):
        return [f"{word} is {new or 'none'!r}, was {old or 'none'!r}"] if old != new else []
    gone, come = [n for n in old if n not in new], [n for n in new if n not in old]
    found = [
        f"{counted(len(names), word)} {what}: {_listed(names)}"
        for what, names in (("added", come), ("removed", gone))
        if names
    ]
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        other = [f"{n} ({new[n]}, was {old[n]})" for n in old if n in new and old[n] != new[n]]
        found += [f"{counted(len(other), word)} of another kind: {_listed(other)}"] if other else []
    elif not found and list(old) != list(new):
        found.append(f"the order of its {word}s changed")
    return found


def _listed(names: Sequence[str]) -> str:
    more = len(names) - NAMES_SHOWN_MAX
    return ", ".join(names[:NAMES_SHOWN_MAX]) + (f" and {more} more" if more > 0 else "")


def drifted(before: Thing, now: Thing) -> Finding | None:
    """What changed and still fits the flow, as a note; it is kept as the new state of the thing."""
    found = changes(before, now)
    if not found:
        return None
    return Finding(
        "binding-changed", Severity.NOTE, now.subject,
        f"The {now.kind} {now.name!r} is not as it was when this flow last used it: "
        f"{'; '.join(found)}.",
        "Nothing, if it was meant: the flow goes on with it as it is now.",
    )  # fmt: skip


def renamed(before: Thing, now: Thing) -> Finding:
    """What the flow names has another name by now."""
    return Finding(
        "binding-renamed", Severity.REJECT, before.subject,
        f"The {before.kind} {before.name!r} is called {now.name!r} now (id {now.id}).",
        f"Write {now.name!r} into the flow and `tieout config apply`, or give it its name back.",
    )  # fmt: skip


def missing(kind: str, name: str, words: str, remedy: str) -> Finding:
    """What the flow names is not there."""
    return Finding("binding-missing", Severity.REJECT, f"{kind} {name}", words, remedy)


def unfit(before: Thing | None, now: Thing, words: str, remedy: str) -> Finding:
    """What the flow names is there, and its columns, inputs or format are not those of the flow."""
    found = changes(before, now) if before else []
    since = f" Since this flow last used it: {'; '.join(found)}." if found else ""
    return Finding("binding-unfit", Severity.REJECT, now.subject, f"{words}{since}", remedy)
