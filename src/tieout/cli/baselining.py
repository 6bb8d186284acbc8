"""`tieout baselines`: balances that came without journals, prepared and signed by two people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from tieout.cli.commands import needs, with_json
from tieout.cli.main import Context, cli
from tieout.cli.printing import following, paragraph, table
from tieout.core.findings import counted
from tieout.verbs.words import amount, moment

DIGITS_MIN = 8  # of a digest that a person types
DIGEST_DIGITS = 12
ROWS_SHOWN_MAX = 50  # `--json` has them all


@cli.group("baselines", invoke_without_command=True)
@with_json
@click.pass_context
def baselines(context: click.Context) -> None:
    """Balances that came without journals, such as converted ones, as two people signed them.

    Without a command: list them.
    """
    if context.invoked_subcommand is None:
        from tieout.verbs import baselining

        own: Context = context.obj
        found = baselining.listed(own.opened(viewing=True))
        own.show({"ok": True, "baselines": found}, lambda: _listed(found))


@baselines.command("show")
@click.argument("baseline")
@with_json
@needs
def show(context: Context, baseline: str) -> None:
    """Show every balance of BASELINE."""
    from tieout.verbs import baselining

    found = baselining.shown(context.opened(viewing=True), baseline)
    context.show(found, lambda: _shown(found))


@baselines.command("prepare")
@click.argument("company")
@click.option("--from", "first", required=True, metavar="P", help="The first period, 2022-01.")
@click.option("--to", "last", required=True, metavar="P", help="The last period.")
@click.option("--why", default="", help="Where these balances come from; kept with them.")
@click.option("--flow", help="The actuals flow, if there are several.")
@with_json
@needs
def prepare(
    context: Context, company: str, first: str, last: str, why: str, flow: str | None
) -> None:
    """Say that the balances of COMPANY without journals are converted; another person signs."""
    from tieout.verbs import baselining, running

    instance = context.opened()
    name = running.actuals_flow(instance, flow)
    done = baselining.prepare(instance, name, company, first, last, why)
    context.show(done, lambda: _listed([done]))


@baselines.command("sign")
@click.argument("baseline")
@click.option("--digest", default="", metavar="D", help="The digest of the balances you have seen.")
@click.option("--why", default="", help="A remark, kept with the signature.")
@with_json
@needs
def sign(context: Context, baseline: str, digest: str, why: str) -> None:
    """Sign BASELINE as another person prepared it; the next run loads its balances."""
    from tieout.verbs import baselining

    instance = context.opened()
    if len(digest) < DIGITS_MIN:
        raise click.UsageError(
            f"Give {DIGITS_MIN} or more digits of the digest that `tieout baselines show "
            f"{baseline}` shows."
        )
    whole = str(baselining.shown(instance, baseline)["digest"])
    done = baselining.sign(instance, baseline, whole if whole.startswith(digest) else digest, why)
    context.show(done, lambda: _listed([done]))


@baselines.command("withdraw")
@click.argument("baseline")
@click.option("--why", default="", help="The reason, kept with the baseline.")
@with_json
@needs
def withdraw(context: Context, baseline: str, why: str) -> None:
    """Take BASELINE back: the next run holds its balances again."""
    from tieout.verbs import baselining

    done = baselining.withdraw(context.opened(), baseline, why)
    context.show(done, lambda: _listed([done]))


def _listed(found: Sequence[Mapping[str, Any]]) -> None:
    if not found:
        click.echo("No baseline is prepared.")
        following("tieout baselines prepare COMPANY --from P --to P --why REASON")
        return
    for b in found:
        gross = amount(b["gross"])
        click.echo(f"{b['baseline']}: {b['state']}, company {b['company']} of {b['flow']}, "
                   f"{counted(b['balances'], 'balance')}, {gross} without signs")  # fmt: skip
        told = f"Prepared by {b['prepared_by']}, {moment(b['prepared_at'])}"
        if b["decided_by"]:
            told += f"; {b['state']} by {b['decided_by']}, {moment(b['decided_at'])}"
        paragraph(f"{told}. Digest {b['digest'][:DIGEST_DIGITS]}.")
        paragraph(b["why"])
        paragraph(b["reason"])
    waiting = [b for b in found if b["state"] == "prepared"]
    if waiting:
        name, digits = waiting[0]["baseline"], waiting[0]["digest"][:DIGEST_DIGITS]
        following(
            f"tieout baselines show {name}", f"tieout baselines sign {name} --digest {digits}"
        )


def _shown(found: Mapping[str, Any]) -> None:
    _listed([found])
    rows = [
        (r["account_id"], r["ledger"], f"{r['fiscal_year']}-{r['period']:02d}", amount(r["amount"]))
        for r in found["rows"][:ROWS_SHOWN_MAX]
    ]
    table(("account id", "ledger", "period", "balance"), rows, ("balance",))
    if len(found["rows"]) > ROWS_SHOWN_MAX:
        click.echo(f"and {len(found['rows']) - ROWS_SHOWN_MAX:,} more (--json has them all)")
