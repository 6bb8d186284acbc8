"""Batches and journals as a person reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import click

from tieout.cli.printing import WIDE_COLUMNS_MIN, Row, following, paragraph, table, width
from tieout.cli.printing import demo as print_loads
from tieout.cli.printing import run as print_run
from tieout.core.findings import counted
from tieout.verbs.words import amount, moment, money

DIGEST_DIGITS = 12
AT_REST = ("verified", "voided", "deleted")  # states of journals that need no further look
RELEASE = "then `tieout release {journal} --reason TEXT`"
# What a person does about a journal that asks, by its state; others are looked at in JD Edwards.
REMEDIES = {
    "absent": f"Make sure that nobody entered it by hand, {RELEASE}, by another approver.",
    "refused": f"Have the cause corrected in JD Edwards, {RELEASE}, by another approver.",
    "deleted": "Ask who did it; `tieout prepare FLOW --again {journal} --why TEXT` enters it anew.",
    "voided": "Ask who did it; `tieout prepare FLOW --again {journal} --why TEXT` enters it anew.",
}
LOOK_THERE = "Have the batch looked at in JD Edwards (P0911), then `tieout journals check`."
MOVED = "Amounts are sums of lines without their signs."
Found = Mapping[str, Any]


def prepared(result: Found) -> None:
    """The run that prepared, and the batch that waits now."""
    print_run(result)
    if result["batch"]:
        click.echo()
        _head(result["batch"])
        _asks(result["batch"])


def approvals(found: Sequence[Found]) -> None:
    """The batches of a list, each with what it asks."""
    if not found:
        click.echo("No batch waits for approval.")
        following("tieout prepare FLOW", "tieout journals")
        return
    for n, batch in enumerate(found):
        if n:
            click.echo()
        _head(batch)
        _asks(batch)
    waiting = [b["batch"] for b in found if b["state"] == "prepared"]
    if waiting:
        following(f"tieout approvals {waiting[0]}")


def approval(batch: Found, *, lines: bool) -> None:
    """One batch whole, its lines when wanted, and the command that approves exactly them."""
    seen(batch)
    if lines:
        _lines(batch["journal_lines"])
    if batch["state"] == "prepared":
        yes = "".join(f" --yes {rule}" for rule in _rules(batch))
        digits = batch["digest"][:DIGEST_DIGITS]
        following(
            *(() if lines else (f"tieout approvals {batch['batch']} --lines",)),
            f"tieout approve {batch['batch']} --digest {digits}{yes}",
        )


def seen(batch: Found) -> None:
    """One batch: its totals by place, what goes to zero, what it asks."""
    _head(batch)
    click.echo()
    columns = ("company", "ledger", "period", "lines", "plan", "posted", "in flight", "difference")
    summed = ("target", "posted", "in_flight", "difference")
    totals = batch["summary"].get("totals", [])
    for currency, own in _by(totals, "currency"):
        click.echo(f"Net amounts in {currency}, credit with a minus sign as in the ledger")
        rows = [
            (t["company"], t["ledger"], _period(t), f"{t['lines']:,}",
             *(amount(t[name], currency) for name in summed))
            for t in own
        ]  # fmt: skip
        _fitting(columns, rows, columns[3:], narrow=("company", "period", *columns[4:]))
        click.echo()
    for zero in batch["summary"].get("zeroed", []):
        told = money(zero["difference"], zero["currency"])
        paragraph(
            f"{counted(zero['lines'], 'of these lines', 'of these lines')} of company "
            f"{zero['company']}, ledger {zero['ledger']}, go to zero because the plan is complete "
            f"and does not name them: {told}.",
            indent="",
        )
    _asks(batch, indent="")


def _head(batch: Found) -> None:
    """What a batch is: its size, who prepared it, how it stands."""
    moved: dict[str, Decimal] = {}
    for total in batch["summary"].get("totals", []):
        so_far = moved.get(total["currency"], Decimal(0))
        moved[total["currency"]] = so_far + Decimal(total["moved"])
    sums = ", ".join(money(value, currency) for currency, value in moved.items())
    told = f"{batch['batch']}: {batch['state']}, {counted(batch['lines'], 'line')}"
    paragraph(f"{told} that move {sums}." if sums else f"{told}.", indent="")
    paragraph(
        f"Flow {batch['flow']}, prepared by {batch['prepared_by']}, "
        f"{moment(batch['prepared_at'])}, digest {batch['digest'][:DIGEST_DIGITS]}."
    )
    if batch["decided_by"]:
        paragraph(
            f"{batch['state'].capitalize()} by {batch['decided_by']}, "
            f"{moment(batch['decided_at'])}{_because(batch)}."
        )
    elif batch["reason"]:
        paragraph(f"{batch['state'].capitalize()}{_because(batch)}.")


def _because(batch: Found) -> str:
    return f": {batch['reason']}" if batch["reason"] else ""


def _asks(batch: Found, indent: str = "    ") -> None:
    """Each thing that must be said yes to apart, with how."""
    for ask in batch["summary"].get("asks", []):
        told = f"It asks (--yes {ask['rule']}): {ask['subject']}. {ask['what']} {ask['remedy']}"
        paragraph(told.strip(), indent)


def _rules(batch: Found) -> list[str]:
    return sorted({ask["rule"] for ask in batch["summary"].get("asks", [])})


def _lines(found: Sequence[Found]) -> None:
    """Every journal line, by journal currency."""
    columns = ("journal", "company", "account", "unit", "period", "debit", "credit", "remark")
    for currency, own in _by(found, "currency"):
        click.echo(f"\nJournal lines, amounts in {currency}")
        rows = [
            (
                str(x["journal"]), x["company"], x["account"], x["business_unit"], _period(x),
                amount(x["debit"], currency) if x["debit"] else "",
                amount(x["credit"], currency) if x["credit"] else "", x["remark"],
            )
            for x in own
        ]  # fmt: skip
        _fitting(columns, rows, ("debit", "credit"), narrow=columns[:7])
    click.echo()


# ---------------------------------------------------------------------------- decided


def approved(result: Found, *, left: bool) -> None:
    """An approval whose journals nobody waits for here."""
    _head(result)
    if left:
        click.echo("Its journals are being submitted.")
        following(f"tieout journals {result['batch']}")
    else:
        click.echo("Its journals are submitted by the next process that executes runs.")
        following("tieout journals check", "tieout serve")


def decided(result: Found) -> None:
    """A batch that was declined or withdrawn."""
    _head(result)
    click.echo("Nothing of it is submitted.")
    following(f"tieout prepare {result['flow']}")


# ---------------------------------------------------------------------------- journals


def followed(result: Found) -> None:
    """A batch after its runs: what the last one said, then its journals."""
    paragraph(result["sentence"], indent="")
    if result["state"] == "approved":
        click.echo()
        journals(result["journals"])


def checked(found: Sequence[Found]) -> None:
    """Every batch that was looked at."""
    if not found:
        click.echo("No journal is open.")
        return
    for n, result in enumerate(found):
        if n:
            click.echo()
        followed(result)


def journals(found: Sequence[Found]) -> None:
    """The journals, a table per batch; then those that ask a person, with what to do."""
    living = [j for j in found if not j["given_up"]]
    if not living:
        click.echo("No journal yet." if not found else "None of these journals will be submitted.")
        following("tieout approvals --all")
        return
    click.echo(MOVED)
    columns = ("journal", "company", "ledger", "period", "lines", "amount", "currency", "state",
               "JDE batch", "document")  # fmt: skip
    for batch, own in _by(living, "batch"):
        click.echo(f"\n{batch}")
        rows = [_journal(j) for j in own]
        narrow = [c for c in columns if c not in ("lines", "document")]
        _fitting(columns, rows, ("lines", "amount"), narrow=narrow)
    click.echo()
    asking = [j for j in living if j["evidence"].get("act") == "ask"]
    for j in asking:
        told = f"{j['journal']} is {j['state']}: {j['evidence'].get('reason', '')}."
        remedy = REMEDIES.get(j["state"], LOOK_THERE).format(journal=j["journal"])
        paragraph(f"{told} {remedy}", indent="")
    waiting = sum(j["state"] in ("created", "ready") for j in living)
    if waiting:
        click.echo(f"{counted(waiting, 'journal')} to be approved and posted in JD Edwards.")
    if any(j["state"] not in AT_REST for j in living):
        following("tieout journals check")


def _journal(j: Found) -> Row:
    moved = Decimal(j["debit"]) + Decimal(j["credit"])
    return (
        str(j["number"]), j["company"], j["ledger"], _period(j), f"{j['lines']:,}",
        amount(moved, j["currency"]), j["currency"], j["state"], j["batch_number"] or "",
        j["document_number"] or "",
    )  # fmt: skip


# ---------------------------------------------------------------------------- the demo


def demo(result: Found, totals: Sequence[Found], approver: str) -> None:
    """The end of the demo: tie-out, loads, the plan's journals, one sentence, what to type next."""
    print_loads(result, totals)
    journals = result["journals"]
    if journals:
        click.echo("Plan journals")
        parts: dict[tuple[str, ...], list[Found]] = {}
        for j in journals:
            parts.setdefault((j["company"], j["ledger"], j["currency"], j["state"]), []).append(j)
        rows = [
            (company, ledger, f"{len(own):,}", f"{sum(j['lines'] for j in own):,}",
             amount(sum(j["amount"] for j in own), currency), currency, state)
            for (company, ledger, currency, state), own in parts.items()
        ]  # fmt: skip
        columns = ("company", "ledger", "journals", "lines", "amount", "currency", "state")
        table(columns, rows, columns[2:5])
        click.echo()
    if result["ok"]:
        click.echo(f"Both sides tie, and {_all(len(journals))} verified in JD Edwards.")
        return
    tied = bool(totals) and all(not t["cells_differing"] for t in totals)
    click.echo("Both sides tie." if tied else "The two sides do not tie yet.")
    following(*([] if tied else ["tieout rejects"]))
    for batch in result["waiting"]:
        click.echo(f"Batch {batch} of the budget waits for Pat, who did not prepare it.")
        following(f"tieout approvals {batch}", f"TIEOUT_TOKEN={approver} tieout approve {batch}")


def _all(number: int) -> str:
    return "the one journal of the budget is" if number == 1 else f"all {number} journals are"


# ---------------------------------------------------------------------------- both


def _period(row: Found) -> str:
    return f"{row['fiscal_year']}-{row['period']:02d}"


def _by(rows: Sequence[Found], name: str) -> list[tuple[str, list[Found]]]:
    """Rows by the value of one of their keys, in the order in which it comes first."""
    parts: dict[str, list[Found]] = {}
    for row in rows:
        parts.setdefault(row[name], []).append(row)
    return list(parts.items())


def _fitting(
    columns: Sequence[str], rows: Sequence[Row], right: Sequence[str], narrow: Sequence[str]
) -> None:
    """A table; of a narrow terminal only the columns that must be seen."""
    if width() < WIDE_COLUMNS_MIN:
        places = [n for n, name in enumerate(columns) if name in narrow]
        columns = [columns[n] for n in places]
        rows = [[row[n] for n in places] for row in rows]
    table(columns, rows, right)
