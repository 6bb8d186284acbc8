"""The register of vendor facts (docs/vendor-facts*.md) as a table, and what must hold of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

FACT_ID = re.compile(r"\b[JA]\d{3}\b")
KINDS = ("documented", "seen live", "assumed")


@dataclass(frozen=True)
class Fact:
    """One row: its number, how we know it (one of KINDS) and the whole row's text."""

    number: str
    kind: str
    row: str

    @property
    def switches(self) -> list[str]:
        """The switches the row names, written as: switch `name`."""
        return re.findall(r"switch `([^`]+)`", self.row)


def read_register(text: str) -> list[Fact]:
    """Rows of the form `| J001 | behaviour | source | documented |`; other lines are prose."""
    facts = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("|") and FACT_ID.fullmatch(cells[0].strip("*` ")):
            kinds = [kind for kind in KINDS for cell in cells[1:] if cell.lower().startswith(kind)]
            facts.append(Fact(cells[0].strip("*` "), kinds[0] if kinds else "", line))
    return facts


def broken_facts(
    register: str, practice: Mapping[str, str], contracts: Mapping[str, str]
) -> Iterator[str]:
    """What is wrong between register, practice systems and contract tests (path → text)."""
    facts = read_register(register)
    known = {fact.number for fact in facts}
    tested = {number for text in contracts.values() for number in FACT_ID.findall(text)}
    cited = {number: path for path, text in practice.items() for number in FACT_ID.findall(text)}
    for number, path in sorted(cited.items()):
        if number not in known:
            yield f"{path} cites {number}, which the register does not have"
        if number not in tested:
            yield f"{path} cites {number}, which no test under tests/contract names"
    source = "\n".join(practice.values())
    for fact in facts:
        if not fact.kind:
            yield f"{fact.number} does not say whether it is {', '.join(KINDS)}"
        if fact.kind == "assumed" and not fact.switches:
            yield f"{fact.number} is assumed and names no switch"
        for name in fact.switches:
            if not re.search(rf"\b{re.escape(name)}\b", source):
                yield f"{fact.number} names the switch {name!r}, which sim/ does not have"
    numbers = [fact.number for fact in facts]
    for number in sorted({n for n in numbers if numbers.count(n) > 1}):
        yield f"{number} stands twice in the register"
