"""Which Anaplan member an unmapped code could be meant for, and why one would think so."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any

from tieout.app import Instance
from tieout.project import LISTS_OF, LoadMembers
from tieout.verbs import acting, seeing
from tieout.verbs.setting_up import UNMATCHED

MEMBERS_MAX = 3  # shown for one code
LIKENESS_MIN = 0.75  # of two codes, 1 being equal (difflib)


def suggestions(instance: Instance, flow: str | None = None) -> list[dict[str, Any]]:
    """Every unmapped code that waits, with members of the list it could stand for.

    Members are those that the last run of the members flow saw in Anaplan; neither system is asked.
    `members`: code, name, why; empty where nothing is like it.
    """
    acting.require(instance, "view")
    waiting: dict[tuple[str, str], dict[str, Any]] = {}
    for found in seeing.rejects(instance, flow=flow, standing=True):
        if found["rule"] == UNMATCHED:
            waiting.setdefault((found["dimension"], found["member"]), found)
    sides = {d: _both_sides(instance, d) for d in {dimension for dimension, _ in waiting}}
    told = []
    for (dimension, code), found in sorted(waiting.items()):
        shown, names = sides[dimension]
        members = list(_like(code, names.get(code, ""), shown))[:MEMBERS_MAX]
        told.append({
            "dimension": dimension, "code": code, "name": names.get(code, ""), "run": found["run"],
            "amount": found["amount"], "currency": found["currency"], "cells": found["cells"],
            "members": members,
        })  # fmt: skip
    return told


def _both_sides(instance: Instance, dimension: str) -> tuple[dict[str, str], dict[str, str]]:
    """Code → name of the members that Anaplan showed last, and of those JD Edwards has."""
    shown: dict[str, str] = {}
    names: dict[str, str] = {}
    for name, flow in instance.applied().flows.items():
        if not isinstance(flow, LoadMembers) or LISTS_OF.get(flow.members) != dimension:
            continue
        lists, members = (instance.store.current(name, kind) for kind in ("in_list", "members"))
        if lists:
            frame = instance.store.scan(lists[-1:]).select("code", "name").collect()
            shown |= dict(frame.iter_rows())
        if members:
            scanned = instance.store.scan(members[-1:]).collect()
            if "description" in scanned.columns:
                names |= dict(scanned.select("code", "description").iter_rows())
    return shown, names


def _like(code: str, name: str, shown: dict[str, str]) -> Iterator[dict[str, str]]:
    """Members that `code` could stand for, the best reason first; each once."""
    found: dict[str, str] = {}
    for other, called in sorted(shown.items()):
        if name and called.casefold() == name.casefold():
            found.setdefault(other, "it has the same name")
    head, _, tail = code.rpartition(".")
    if head and head in shown:
        found.setdefault(head, f"it is {code} without {tail}")
    bare = code.lstrip("0")
    for other in sorted(shown):
        if bare and other.lstrip("0") == bare:
            found.setdefault(other, "it is the same code but for zeros in front")
    for other in get_close_matches(code, shown, MEMBERS_MAX, LIKENESS_MIN):
        found.setdefault(other, "its code is nearly the same")
    found.pop(code, None)  # it was there when the members were loaded last, and is no longer
    for other, why in found.items():
        yield {"code": other, "name": shown[other], "why": why}
