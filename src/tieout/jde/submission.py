"""What an orchestration answered: numbers and errors it tells, and never that a journal is there.

A 200 can carry errors, a 500 can come after the commit, and a status of refusal can be raised by a
late step. So an answer is kept as evidence, and only the ledger is believed (journals.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tieout.errors import Refused, Trouble
from tieout.http import Answer
from tieout.jde.page import COMPLAINTS_MAX, texts
from tieout.strict_json import plain

ACCEPTED_STATUS = 202
LATER_QUEUES = ("JDE__ASYNCH", "JDE__USER_ASYNCH")  # answered at once, run later (jde-ais.md §4.5)
QUEUES = ("JDE__DEFAULT", "JDE__SINGLE", "JDE__USER_SINGLE", *LATER_QUEUES)
NUMBER_DIGITS_MAX = 8  # of a batch and of a document

# Names of outputs, in small letters and without signs: as mapped by an author, or by JDE itself.
BATCH_NAMES = frozenset({"batchnumber", "batch", "icu", "f0911icu", "f0011icu", "f0911z1icu"})
DOCUMENT_NAMES = frozenset({"documentnumber", "document", "doc", "f0911doc", "f0911z1doc"})
ERROR_NAMES = frozenset({"errors", "error", "exception", "syserrors", "continuedonerror"})


class NotSent(Trouble):
    """The journal was certainly not sent; the cause says whether a person must act first."""

    exit_code = 4


@dataclass(frozen=True, slots=True)
class Submitted:
    """What was answered to the one call that writes a journal: evidence, not proof.

    `status` 0: no whole answer came. `asynchronous`: the call was put into a queue that runs later,
    so that it may still run after any look.
    """

    status: int
    evidence: str
    batch_numbers: tuple[int, ...] = ()
    documents: tuple[int, ...] = ()
    errors: str = ""
    asynchronous: bool = False


@dataclass(frozen=True, slots=True)
class Reserved:
    """Numbers that next numbers handed out to us, and to nobody else."""

    batch_number: int
    documents: tuple[int, ...]


def submitted(answer: Answer, queue: str) -> Submitted:
    """The answer to a journal call of any status, whatever its body is."""
    told = _json(answer)
    return Submitted(
        answer.status, answer.excerpt(), numbers(told, BATCH_NAMES), numbers(told, DOCUMENT_NAMES),
        errors(told), answer.status == ACCEPTED_STATUS or queue in LATER_QUEUES,
    )  # fmt: skip


def _json(answer: Answer) -> Any:
    try:
        return answer.json()
    except Refused:
        return None  # a page of a proxy, an empty or a cut body: the excerpt shows it


def numbers(told: Any, names: frozenset[str]) -> tuple[int, ...]:
    """The batch or document numbers that an answer tells, each once, in its order."""
    found = (_number(value) for name, value in _members(told) if _bare(name) in names)
    return tuple(dict.fromkeys(n for n in found if n))


def errors(told: Any) -> str:
    """Every error inside an answer, however deep (§4.4), in the peer's words; empty if none."""
    found: list[str] = []
    for name, value in _members(told):
        if _bare(name) in ERROR_NAMES:
            found += texts(value)
        elif name in ("status", "jde__status") and str(value).upper() == "ERROR":
            found.append("status ERROR")
    return plain("; ".join(dict.fromkeys(found[:COMPLAINTS_MAX])))


def _members(told: Any) -> Iterator[tuple[str, Any]]:
    """All members of all objects, the outer ones first."""
    level = [told]
    while level:
        inside: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                yield from item.items()
                inside.extend(item.values())
            elif isinstance(item, list):
                inside.extend(item)
        level = inside


def _bare(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _number(value: Any) -> int:
    """A number, which the author may have typed as text (J095); 0 for anything else."""
    if isinstance(value, bool):
        return 0
    text = str(value).strip()
    match = re.fullmatch(rf"0*([0-9]{{1,{NUMBER_DIGITS_MAX}}})(\.0+)?", text)
    return int(match[1]) if match else 0
