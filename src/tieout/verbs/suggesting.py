"""Which Anaplan member an unmapped code could be meant for, and why one would think so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

import polars as pl

from tieout.app import Instance
from tieout.project import LISTS_OF, LoadMembers
from tieout.store import desk
from tieout.verbs import acting, seeing
from tieout.verbs.setting_up import UNMATCHED

MEMBERS_MAX = 3  # shown for one code
CODES_OF_A_PAGE = 25
CODES_COUNTED_MAX = 1_000
FOUND_MEMBERS_MAX = 30  # of a search; more words find fewer
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
    return _told(instance, waiting)


def unmapped(instance: Instance, after: str = "") -> tuple[list[dict[str, Any]], str]:
    """A page of them by code, from the one after `after`; and where the next one begins, or "".

    However many wait, no more than a page is read and compared.
    """
    acting.require(instance, "view")
    with instance.store.database.read() as connection:
        codes = desk.codes(connection, UNMATCHED, after, CODES_OF_A_PAGE + 1)
        shown = codes[:CODES_OF_A_PAGE]
        found = desk.first_about(connection, UNMATCHED, shown)
    waiting = {(r.finding.dimension, r.finding.member): seeing.finding_as_json(r) for r in found}
    return _told(instance, waiting), shown[-1] if len(codes) > len(shown) else ""


def waiting(instance: Instance) -> int:
    """How many unmapped codes wait, counted up to CODES_COUNTED_MAX and one."""
    acting.require(instance, "view")
    with instance.store.database.read() as connection:
        return len(desk.codes(connection, UNMATCHED, "", CODES_COUNTED_MAX + 1))


def suggestion(instance: Instance, dimension: str, code: str) -> dict[str, Any] | None:
    """The same of one code; None when it does not wait."""
    acting.require(instance, "view")
    with instance.store.database.read() as connection:
        found = desk.first_about(connection, UNMATCHED, [code])
    mine = [seeing.finding_as_json(r) for r in found if r.finding.dimension == dimension]
    return _told(instance, {(dimension, code): mine[0]})[0] if mine else None


def _told(
    instance: Instance, waiting: Mapping[tuple[str, str], Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """The codes with what each could stand for."""
    sides = {d: _both_sides(instance, d) for d in {dimension for dimension, _ in waiting}}
    lists = {dimension: _Members(shown) for dimension, (shown, _) in sides.items()}
    told = []
    for (dimension, code), found in sorted(waiting.items()):
        name = sides[dimension][1].get(code, "")
        told.append({
            "dimension": dimension, "code": code, "name": name, "run": found["run"],
            "amount": found["amount"], "currency": found["currency"], "cells": found["cells"],
            "members": list(lists[dimension].like(code, name))[:MEMBERS_MAX],
        })  # fmt: skip
    return told


def members(instance: Instance, dimension: str, words: str) -> dict[str, Any]:
    """Members of the Anaplan list of a dimension in whose code or name all `words` stand.

    As the last run of its members flow saw them. `members`: code, name; `found`: how many.
    """
    acting.require(instance, "view")
    shown, _ = _both_sides(instance, dimension)
    wanted = words.casefold().split()
    found = [
        {"code": code, "name": name} for code, name in sorted(shown.items())
        if all(word in f"{code} {name}".casefold() for word in wanted)
    ]  # fmt: skip
    return {"members": found[:FOUND_MEMBERS_MAX], "found": len(found), "known": len(shown)}


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


class _Members:
    """The members of a list, so that what one code could stand for is found without all others."""

    def __init__(self, shown: dict[str, str]) -> None:
        self.shown = shown
        self._codes = pl.DataFrame({"code": sorted(shown)}, schema={"code": pl.String})
        self._by_name: dict[str, list[str]] = {}
        self._by_bare: dict[str, list[str]] = {}
        for code in sorted(shown):
            self._by_name.setdefault(shown[code].casefold(), []).append(code)
            self._by_bare.setdefault(code.lstrip("0"), []).append(code)

    def like(self, code: str, name: str) -> Iterator[dict[str, str]]:
        """Members that `code` could stand for, the best reason first; each once."""
        found: dict[str, str] = {}
        for other in self._by_name.get(name.casefold(), []) if name else ():
            found.setdefault(other, "it has the same name")
        head, _, tail = code.rpartition(".")
        if head and head in self.shown:
            found.setdefault(head, f"it is {code} without {tail}")
        bare = code.lstrip("0")
        for other in self._by_bare.get(bare, []) if bare else ():
            found.setdefault(other, "it is the same code but for zeros in front")
        for other in get_close_matches(code, self._near(code), MEMBERS_MAX, LIKENESS_MIN):
            found.setdefault(other, "its code is nearly the same")
        found.pop(code, None)  # it was there when the members were loaded last, and is no longer
        for other, why in found.items():
            yield {"code": other, "name": self.shown[other], "why": why}

    def _near(self, code: str) -> list[str]:
        """The codes with so many letters in common that they may be alike by LIKENESS_MIN."""
        if not code or self._codes.is_empty():
            return []
        here = pl.col("code")
        common = pl.sum_horizontal(
            pl.min_horizontal(here.str.count_matches(letter, literal=True), pl.lit(count))
            for letter, count in Counter(code).items()
        )
        # 2 × common ÷ letters of both is at least 3/4.
        enough = common.cast(pl.Int64) * 8 >= (here.str.len_chars().cast(pl.Int64) + len(code)) * 3
        return self._codes.filter(enough)["code"].to_list()
