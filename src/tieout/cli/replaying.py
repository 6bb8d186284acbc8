"""`tieout replay` and `tieout backfill`: what would be sent again is shown first, then sent."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from tieout.cli import printing, printing_plan, progress
from tieout.cli.commands import end, needs, with_json
from tieout.cli.main import Context, cli
from tieout.core.findings import counted
from tieout.verbs.words import amount, money

if TYPE_CHECKING:
    from tieout.app import Instance
    from tieout.verbs.replaying import Replay

CELLS_SHOWN_MAX = 20  # `--json` has them all
WAITS = 7  # exit code, docs/reference/exit-codes.md


def with_yes(function: Any) -> Any:
    """`--yes`: it has been looked at."""
    return click.option("--yes", is_flag=True, help="Send it without showing it first.")(function)


@cli.command()
@click.argument("what", required=False, metavar="[RUN|BATCH]")
@click.option("--reject", "ids", type=int, multiple=True, help="A reject; several for several.")
@click.option("--period", metavar="P", help="Every cell of this fiscal period, such as 2025-03.")
@click.option("--company", "companies", multiple=True, help="With --period: only this company.")
@click.option("--flow", help="With --period: the actuals flow, if there are several.")
@with_yes
@with_json
@needs
def replay(
    context: Context, what: str | None, ids: tuple[int, ...], period: str | None,
    companies: tuple[str, ...], flow: str | None, yes: bool,
) -> None:  # fmt: skip
    """Send again what RUN could not load, what a reject holds back, or a whole period.

    It is sent with today's mapping and members, and nothing beside it. First is shown what would
    be sent and what changed since. A BATCH of which nothing reached JD Edwards goes again under
    its own keys and approval.
    """
    from tieout.verbs import replaying, running

    if sum(map(bool, (what, ids, period))) != 1 or (companies and not period):
        raise click.UsageError("Give a RUN, a BATCH, --reject ID or --period P.")
    instance = context.opened(practice=True)
    if what and what.endswith(replaying.BATCH_ENDS):
        _batch(context, instance, what, yes)
        return
    if what:
        asked = replaying.of_run(instance, what)
    elif ids:
        asked = replaying.of_rejects(instance, ids)
    else:
        assert period is not None
        name = running.actuals_flow(instance, flow)
        asked = replaying.of_period(instance, name, period, companies)
    _shown_then_sent(context, instance, asked, yes)


@cli.command()
@click.argument("flow")
@click.option("--from", "first", required=True, metavar="P", help="The first period, 2024-01.")
@click.option("--to", "last", required=True, metavar="P", help="The last period.")
@click.option("--company", "companies", multiple=True, help="Only this company; several.")
@click.option("--ledger", "ledgers", multiple=True, help="Only this ledger type; several.")
@click.option("--why", default="", help="The reason, kept with the run; it opens locked periods.")
@with_yes
@with_json
@needs
def backfill(
    context: Context, flow: str, first: str, last: str, companies: tuple[str, ...],
    ledgers: tuple[str, ...], why: str, yes: bool,
) -> None:  # fmt: skip
    """Read periods of FLOW anew from JD Edwards, closed and locked ones too, and send them whole.

    First is shown what would be sent and what changed since.
    """
    from tieout.verbs import replaying

    instance = context.opened(practice=True)
    asked = replaying.backfill(
        instance, flow, first, last, companies=companies, ledgers=ledgers, why=why
    )
    _shown_then_sent(context, instance, asked, yes)


def _shown_then_sent(context: Context, instance: Instance, asked: Replay, yes: bool) -> None:
    """Show what would be sent; send it after a yes."""
    from tieout.verbs import replaying

    if not yes:
        with progress.shown(instance):
            found = replaying.preview(instance, asked)
        if not found["ok"]:
            context.show(found, lambda: _would_send(found))
            sys.exit(found["exit_code"])
        if found["rows_to_send"]:
            _refuse_unseen(context, found)
        else:  # it is proved all the same, which settles what stood open
            printing.note(f"Of {found['replays']} nothing is left to send.")
    with progress.shown(instance):
        done = replaying.send(instance, asked)
    end(context, instance, done)


def _refuse_unseen(context: Context, found: dict[str, Any]) -> None:
    """Ask at a terminal; elsewhere nothing is sent that nobody said yes to."""
    if context.as_json or not sys.stdin.isatty():
        context.show(found | {"ok": False, "exit_code": WAITS}, lambda: _would_send(found))
        printing.note("Nothing was sent: the same command with --yes sends it.")
        sys.exit(WAITS)
    _would_send(found)
    if not click.confirm("Send this?", err=True):
        printing.note("Nothing was sent.")
        sys.exit(WAITS)


def _would_send(found: Mapping[str, Any]) -> None:
    if "cells" not in found:
        printing.paragraph(found["sentence"], indent="")
        return
    cells = found["cells"]
    click.echo(f"Would be sent: {found['replays']}, {counted(len(cells), 'cell')}.")
    for row in found["sums"]:
        told = money(row["amount"], row["currency"] or "")
        click.echo(f"  company {row['company']}: {counted(row['cells'], 'cell')}, {told}")
    if any(c["then"] is not None for c in cells):
        since = [f"{counted(found['other_amount'], 'cell')} with another amount"]
        since += [f"{found['by_mapping']:,} that a mapping brings"]
        click.echo(f"Since then: {', '.join(since)}.")
    right = ("Anaplan shows", "then", "now")
    rows = [
        (c["company"], c["account"], c["business_unit"], c["member"], amount(c["shown"]),
         amount(c["then"]), amount(c["now"]))
        for c in cells[:CELLS_SHOWN_MAX]
    ]  # fmt: skip
    printing.table(("company", "account", "cost center", "period", *right), rows, right)
    if len(cells) > CELLS_SHOWN_MAX:
        click.echo(f"and {len(cells) - CELLS_SHOWN_MAX:,} more (--json has them all)")


def _batch(context: Context, instance: Instance, batch: str, yes: bool) -> None:
    from tieout.verbs import replaying

    context.goes_on = "tieout journals check"
    found = replaying.batch_again(instance, batch, look=True)
    if not yes:
        journals = counted(len(found["journals"]), "journal")
        words = f"Would be sent: {journals} of {batch} under their own keys and approval."
        if context.as_json or not sys.stdin.isatty():
            told = found | {"ok": False, "exit_code": WAITS}
            context.show(told, lambda: click.echo(words))
            printing.note("Nothing was sent: the same command with --yes sends it.")
            sys.exit(WAITS)
        click.echo(words)
        if not click.confirm("Send this?", err=True):
            printing.note("Nothing was sent.")
            sys.exit(WAITS)
    with progress.shown(instance):
        result = replaying.batch_again(instance, batch)
    context.show(result, lambda: printing_plan.followed(result))
    sys.exit(result["exit_code"])
