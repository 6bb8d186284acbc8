"""Records: one row looked for, and its whole story."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from starlette.responses import RedirectResponse, Response

from tieout.core.frames import CELL_KEY
from tieout.errors import Misconfigured
from tieout.flows.drill import Wanted
from tieout.verbs import tracing
from tieout.verbs.tracing_journals import JOURNALS_SHOWN_MAX
from tieout.web.view import View

FIELDS = (
    ("company", "Company"), ("account", "Account"), ("business_unit", "Cost center"),
    ("ledger", "Ledger"), ("period", "Period"), ("document", "Document"),
    ("document_type", "Type"), ("batch", "Batch"), ("amount", "Amount"),
)  # fmt: skip
CELLS_SHOWN_MAX, LINES_SHOWN_MAX = 100, 200
JOURNAL_LINES_SHOWN_MAX = 50  # of each; its own page has all of them
LINES_LOOKED_MAX = 2_000_000  # for an amount, which no file can tell that it has not
WORD_CHARACTERS_MAX = 60
_AMOUNT = re.compile(r"-?(\d{1,15}|\d{1,3}(,\d{3}){1,5})(\.\d{1,4})?")
_NUMBER = re.compile(r"\d{1,9}")
_PERIOD = re.compile(r"\d{4}-\d{2}")
_OURS = re.compile(r"[a-z0-9_]+-\d+-batch(/\d+)?")


def records(view: View) -> Response:
    """Find a record by what one knows of it; the only one that agrees is told whole."""
    asked = {name: view.query.get(name, "").strip()[:WORD_CHARACTERS_MAX] for name, _ in FIELDS}
    word = view.query.get("q", "").strip()[:WORD_CHARACTERS_MAX]
    errors: dict[str, str] = {}
    found: dict[str, Any] | None = None
    as_what = ""
    if word and not any(asked.values()):
        found, as_what = _guessed(view, word)
        if found is None:
            errors["q"] = f"Nothing in the records agrees with “{word}”."
            if _AMOUNT.fullmatch(word):
                errors["q"] += (
                    f" For an amount the newest {LINES_LOOKED_MAX:,} lines were looked through; "
                    "give its period as well to look through all of that."
                )
    elif any(asked.values()):
        try:
            found = tracing.trace(view.instance, _wanted(asked), lines_max=LINES_LOOKED_MAX)
        except (Misconfigured, ValueError) as error:
            errors[""] = error.what if isinstance(error, Misconfigured) else str(error)
    return view.page(
        "records.html", section="runs", title="Records", asked=asked, word=word, found=found,
        fields=FIELDS, errors=errors, as_what=as_what, lines_max=LINES_SHOWN_MAX,
        journals_max=JOURNALS_SHOWN_MAX, journal_lines_max=JOURNAL_LINES_SHOWN_MAX,
        cells_max=CELLS_SHOWN_MAX, cell_address=cell_address, command=_command(asked, word),
    )  # fmt: skip


def record(view: View) -> Response:
    """The story of one cell: lines, mapping, loads, answers, read back."""
    cell = {name: view.query.get(name, "")[:WORD_CHARACTERS_MAX] for name in CELL_KEY}
    if not any(cell.values()):
        return RedirectResponse("/records", 303)
    wanted = Wanted(
        company=cell["company"], account=cell["account"], business_unit=cell["business_unit"],
        member=cell["member"],
    )  # fmt: skip
    found = tracing.trace(view.instance, wanted, cell=cell)
    if "story" not in found:
        raise Misconfigured("There is no such cell.", do="Look for it anew.")
    told = f"{cell['account']}, {cell['business_unit']}, {cell['member']}"
    return view.page(
        "record.html", section="tie-out", title=f"Cell {told}", cell=found["cells"][0],
        story=found["story"], journals=found["journals"], lines_max=LINES_SHOWN_MAX,
        journal_lines_max=JOURNAL_LINES_SHOWN_MAX,
        command=(
            f"tieout trace --company {cell['company']} --account {cell['account']} "
            f"--cost-center '{cell['business_unit']}' --period '{cell['member']}'",
        ),
    )  # fmt: skip


def cell_address(cell: Mapping[str, Any]) -> str:
    """Where the story of a cell is told."""
    return "/records/cell?" + urlencode({name: cell[name] or "" for name in CELL_KEY})


def _guessed(view: View, word: str) -> tuple[dict[str, Any] | None, str]:
    """What a word may be, in turn, until something agrees: what was found, and as what."""
    for as_what, wanted, key in _guesses(word):
        try:
            found = tracing.trace(view.instance, wanted, key=key, lines_max=LINES_LOOKED_MAX)
            return found, as_what
        except Misconfigured:
            continue
    return None, ""


def _guesses(word: str) -> Iterator[tuple[str, Wanted, str]]:
    if _OURS.fullmatch(word):
        yield "a batch or journal of ours", Wanted(), word
        return
    if _AMOUNT.fullmatch(word) and ("." in word or "," in word):
        yield "an amount", Wanted(amount=Decimal(word.replace(",", ""))), ""
    if _NUMBER.fullmatch(word):
        yield "a document", Wanted(document=int(word)), ""
        yield "a batch", Wanted(batch=int(word)), ""
    yield "an account", Wanted(account=word), ""
    yield "a code of Anaplan", Wanted(code=word), ""
    if _AMOUNT.fullmatch(word):
        yield "an amount", Wanted(amount=Decimal(word.replace(",", ""))), ""


def _wanted(asked: Mapping[str, str]) -> Wanted:
    """ValueError in a sentence for what is no number."""
    told: dict[str, Any] = {
        name: asked[name]
        for name in ("company", "account", "business_unit", "ledger", "document_type")
    }
    for name, title in (("document", "Document"), ("batch", "Batch")):
        if asked[name]:
            if not _NUMBER.fullmatch(asked[name]):
                raise ValueError(f"{title} is a number of at most nine digits.")
            told[name] = int(asked[name])
    if asked["amount"]:
        if not _AMOUNT.fullmatch(asked["amount"]):
            raise ValueError("The amount is written like 1204.00 or 1,204.00.")
        told["amount"] = Decimal(asked["amount"].replace(",", ""))
    if _PERIOD.fullmatch(asked["period"]):
        told["period"] = (int(asked["period"][:4]), int(asked["period"][5:]))
    else:
        told["member"] = asked["period"]
    return Wanted(**told)


def _command(asked: Mapping[str, str], word: str) -> tuple[str, ...]:
    names = {"business_unit": "cost-center", "document_type": "type"}
    told = [f"--{names.get(n, n)} {value}" for n, value in asked.items() if value]
    wanted = " ".join(told) or f"--account {word or 'CODE'}"
    return (f"tieout trace {wanted}",)
