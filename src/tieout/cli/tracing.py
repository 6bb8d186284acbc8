"""`tieout trace`: the story of a record as a person reads it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

import click

from tieout.cli import tables
from tieout.cli.commands import needs, with_json
from tieout.cli.main import Context, cli
from tieout.cli.printing import WIDE_COLUMNS_MIN, following, paragraph, table, width
from tieout.core.findings import counted
from tieout.verbs.words import amount, moment, money

LINES_SHOWN_MAX = 40  # `--json` has more
CELLS_SHOWN_MAX = 25
PERIOD = re.compile(r"\d{4}-\d{2}")
FORGOTTEN = "Name something to look for: an account, a document, a batch, an amount, a run."
Found = Mapping[str, Any]


@cli.command()
@click.argument("key", required=False)
@click.option("--company", default="", help="Of JD Edwards or of Anaplan.")
@click.option("--account", default="", help="Object, OBJ.SUB, BU.OBJ.SUB, account id, or code.")
@click.option("--cost-center", default="", help="Business unit, or its code in Anaplan.")
@click.option("--ledger", default="", help="Ledger type, such as AA.")
@click.option("--period", default="", metavar="P", help="2025-03, or Anaplan's 'Mar 25'.")
@click.option("--code", default="", help="A code of any dimension of Anaplan.")
@click.option("--document", type=int, help="Document number.")
@click.option("--type", "document_type", default="", help="Document type, such as JE.")
@click.option("--batch", type=int, help="Batch number of JD Edwards.")
@click.option("--amount", default="", help="Of a line or a cell, with either sign.")
@click.option("--run", default="", help="Only what this run read or sent.")
@click.option("--flow", default="", help="One that loads a table; KEY are members of its cell.")
@click.option("--reject", type=int, metavar="ID", help="The cell or member this reject is about.")
@with_json
@needs
def trace(
    context: Context, /, key: str | None, reject: int | None, flow: str, **asked: Any
) -> None:  # fmt: skip
    """Tell the whole story of a record; KEY names a batch or journal of ours (plan-2-batch/1).

    With --flow of a table: KEY are members of its cell, such as "00001 × 1110".
    """
    from tieout.verbs import rejecting, tracing

    run = asked.pop("run")
    wanted = _wanted(asked)
    if flow:
        found = tables.traced(context.opened(viewing=True), flow, key or "", run)
        context.show(found, lambda: tables.story(found))
        return
    anything = bool(key or run) or wanted != type(wanted)()
    if anything == (reject is not None):
        raise click.UsageError("Give --reject alone." if anything else FORGOTTEN)
    instance = context.opened(viewing=True)
    if reject is not None:
        result = rejecting.trace(instance, reject)
    else:
        result = tracing.trace(instance, wanted, run=run, key=key or "")
    context.show(result, lambda: tables.story(result) if "table" in result else _traced(result))


def _wanted(asked: dict[str, Any]) -> Any:
    from tieout.flows.drill import Wanted

    period, text = asked.pop("period"), asked.pop("amount")
    asked["business_unit"] = asked.pop("cost_center")
    if PERIOD.fullmatch(period):
        asked["period"] = (int(period[:4]), int(period[5:]))
    else:
        asked["member"] = period
    try:
        asked["amount"] = Decimal(text.replace(",", "")) if text else None
    except InvalidOperation:
        raise click.UsageError(f"{text!r} is no amount; write it like 1204.00.") from None
    return Wanted(**asked)


def _traced(result: Found) -> None:
    story = result.get("story")
    if story:
        _story(result["cells"][0], story)
    else:
        _cells(result["cells"], result["found"]["cells"])
    lines = story["lines"] if story else result["lines"]
    if lines:
        click.echo()
        _lines(lines, len(lines) if story else result["found"]["lines"])
    for journal in result["journals"]:
        click.echo()
        _journal(journal)
    if len(result["cells"]) > 1:
        one = result["cells"][0]
        following(
            f"tieout trace --company {one['company']} --account {one['account']} "
            f"--cost-center {one['business_unit']} --period '{one['member']}'"
        )


def _place(cell: Found) -> str:
    told = [
        f"company {cell['company']}", f"account {cell['account']}",
        f"cost center {cell['business_unit']}", f"{cell['member']}",
    ]  # fmt: skip
    return ", ".join(told) + (f", ledger {cell['ledger']}" if cell["ledger"] else "")


def _cells(cells: Sequence[Found], found: int) -> None:
    if not cells:
        return
    columns = ("company", "account", "cost center", "period", "F0911", "F0902", "Anaplan", "held")
    rows = [
        (
            c["company"], c["account"], c["business_unit"], c["member"],
            *(amount(c[n], c["currency"]) for n in ("f0911", "f0902", "anaplan")), c["held"],
        )
        for c in cells[:CELLS_SHOWN_MAX]
    ]  # fmt: skip
    click.echo(f"{counted(found, 'cell')}, amounts in the sign of the ledger")
    table(columns, rows, ("F0911", "F0902", "Anaplan"))
    if found > len(rows):
        click.echo(f"… and {counted(found - len(rows), 'cell')} more (`--json` has them).")


def _story(cell: Found, story: Found) -> None:
    """One cell: where it stands, then what was read, mapped, sent, answered and read back."""
    paragraph(_place(cell)[0].upper() + _place(cell)[1:], indent="")
    sides = [f"{n} {amount(cell[k], cell['currency'])}" for n, k in (
        ("F0911", "f0911"), ("F0902", "f0902"), ("Anaplan", "anaplan"),
    )]  # fmt: skip
    gap = cell["difference"]
    ends = f"apart by {amount(gap, cell['currency'])}" if gap else "tied"
    paragraph(f"{', '.join(sides)}: {ends}.", indent="")
    if cell["shown"] != cell["anaplan"]:
        paragraph(f"Anaplan shows it as {amount(cell['shown'], cell['currency'])}.", indent="")
    if cell["held"]:
        paragraph(f"Held: {cell['held']}.", indent="")
    for told in (
        *_read(story),
        *_mapped(story),
        *_sent(story, cell),
        *_open(story),
        *story["purged"],
    ):
        paragraph(told, indent="  ")


def _read(story: Found) -> list[str]:
    told = []
    for b in story["buckets"]:
        where = f"account {b['ledger_unit']}.{b['ledger_account']} (id {b['account_id']})"
        period = f"{b['fiscal_year']}-{b['period']:02d}"
        kept = f", {b['state']}" + (f" ({b['reason']})" if b["reason"] else "")
        told.append(
            f"Ledger: {where} in {period}: {counted(b['lines'], 'line')} of "
            f"{amount(b['amount'])}; F0902 says {amount(b['balance'])}{kept}."
        )
    return told


def _mapped(story: Found) -> list[str]:
    return [
        f"Mapped: {m['dimension'].replace('_', ' ')} {m['source']} to {m['target']} (version "
        f"{m['version']}, {m['set_by']}, {moment(m['set_at'])}: {m['why'] or 'no reason given'})."
        for m in story["mappings"]
    ]


def _sent(story: Found, cell: Found) -> list[str]:
    told = []
    for s in story["loads"]:
        answer = f"rejected: {'; '.join(s['rejected'])}" if s["rejected"] else "not rejected"
        answer = "what Anaplan rejected was purged" if s["answer_purged"] else answer
        back = s["read_back"]
        seen = "the cell was empty or not read back" if back is None else (
            f"read back as {amount(back, cell['currency'])}"
        )  # fmt: skip
        told.append(
            f"Sent: {amount(s['amount'], cell['currency'])} by {s['run']} ({s['started_by']}, "
            f"{moment(s['started_at'])}): line {s['line']} of the file, chunk {s['chunk']}, task "
            f"{s['task']}; {answer}; {seen}." + "".join(f" {gone}" for gone in s["purged"])
        )
    return told


def _open(story: Found) -> list[str]:
    told = [
        f"Open since {o['since']}: {o['reason']}, {amount(o['amount'])}." for o in story["open"]
    ]
    for f in story["findings"]:
        state = f"{f['state']} to {f['owner']}" if f["state"] == "assigned" else f["state"]
        words = f" Anaplan: {f['vendor_words']}" if f["vendor_words"] else ""
        told.append(f"Reject {f['id']} of {f['run']} ({f['rule']}, {state}): {f['what']}{words}")
    return told


def _mark(line: Found) -> str:
    """Why a line is not counted in its cell."""
    if not line["holds"]:
        return " *"
    return " +" if line["summarised"] else ""


def _lines(lines: Sequence[Found], found: int) -> None:
    """Ledger lines; those that do not hold any more are marked."""
    columns: tuple[str, ...] = ("document", "G/L date", "account", "amount", "batch")
    more: tuple[str, ...] = ("read by", "explanation")
    wide = width() >= WIDE_COLUMNS_MIN
    rows = []
    for n in lines[:LINES_SHOWN_MAX]:
        row = (
            f"{n['document_type']} {n['document']} {n['document_company']} "
            f"{n['line_number']}{_mark(n)}",
            str(n["gl_date"]), f"{n['business_unit']}.{n['object_account']}"
            + (f".{n['subsidiary']}" if n["subsidiary"] else ""),
            amount(n["amount"], n["base_currency"]), f"{n['batch_type']} {n['batch_number']}",
        )  # fmt: skip
        rows.append((*row, n["run"], n["explanation"].strip()) if wide else row)
    click.echo(f"{counted(found, 'ledger line')}")
    table((*columns, *more) if wide else columns, rows, ("amount",))
    if any(not n["holds"] for n in lines[:LINES_SHOWN_MAX]):
        click.echo("* an earlier version of a line, or one the ledger does not have any more")
    if any(n["summarised"] for n in lines[:LINES_SHOWN_MAX]):
        click.echo("+ summarised: its amount stands in a BF line and is not counted again")
    if found > len(rows):
        click.echo(f"… and {counted(found - len(rows), 'line')} more (`--json` has them).")


def _journal(journal: Found) -> None:
    """A journal of ours: who prepared and approved it, as what it stands in JD Edwards."""
    there = [
        f"{word} {journal[name]}"
        for word, name in (("batch", "batch_number"), ("document", "document_number"))
        if journal[name]
    ]
    state = "given up" if journal["given_up"] else journal["state"]
    paragraph(
        f"Journal {journal['journal']} is {state}"
        + (f" as {' and '.join(there)} in JD Edwards." if there else "."),
        indent="",
    )
    lines = journal["journal_lines"]
    paragraph(
        f"Prepared by {journal['prepared_by']} in {journal['prepared_run']}, "
        f"{moment(journal['prepared_at'])}; "
        + (
            f"{journal['batch_state']} by {journal['decided_by']}, {moment(journal['decided_at'])}."
            if journal["decided_by"] else "not decided."
        ),
        indent="  ",
    )  # fmt: skip
    for line in lines[:LINES_SHOWN_MAX]:
        paragraph(
            f"Line {line['line']}: account {line['account']}, cost center {line['business_unit']}, "
            f"{line['member']}: {money(line['amount'], line['currency'])}, for the plan says "
            f"{amount(line['target'], line['currency'])} and the ledger had "
            f"{amount(line['posted'], line['currency'])}.",
            indent="  ",
        )
    if len(lines) > LINES_SHOWN_MAX:
        click.echo(f"  … and {counted(len(lines) - LINES_SHOWN_MAX, 'line')} more.")
    for entry in journal["trail"]:
        told = f"{entry['at']} {entry['actor']} {entry['act']} {entry['object']}"
        paragraph(f"{told} (trail entry {entry['entry']})", indent="    ")
