"""The commands about plans: prepare, see and decide over batches, see what became of journals."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import click

from tieout.cli import printing, printing_plan, progress
from tieout.cli.commands import needs, told_of, with_json
from tieout.cli.main import Context, cli

WAITS = 7  # exit code, docs/reference/exit-codes.md
GRAVEST_FIRST = (10, 4, 7, 6)  # exit codes of batches: the outcome is unknown, not sent, …
DIGITS_MIN = 8  # of a digest that a person types
CHECK = "check"  # no batch is called so: its name ends with -batch
GOES_ON = "tieout journals check"  # what carries on an interrupted run of a batch


def with_digest(function: Any) -> Any:
    """`--digest`: which lines a decision is for."""
    return click.option(
        "--digest",
        metavar="D",
        help=f"The first {DIGITS_MIN} or more digits of the digest that `approvals BATCH` shows.",
    )(function)


@cli.command()
@click.argument("flow")
@click.option(
    "--again",
    multiple=True,
    metavar="JOURNAL",
    help="Enter again what people deleted or voided; several times for several.",
)
@click.option("--why", default="", help="The reason for --again, kept with the journal.")
@with_json
@needs
def prepare(context: Context, flow: str, again: tuple[str, ...], why: str) -> None:
    """Compare the plan of FLOW with the ledger; what differs becomes a batch that waits."""
    from tieout.verbs import approving, planning

    instance = context.opened(practice=True)
    with progress.shown(instance):
        done = planning.prepare(instance, flow, again=again, why=why)
    result = told_of(instance, done)
    waiting = [b for b in approving.approvals(instance) if b["prepared_in"] == done.run.id]
    result |= {"batch": waiting[0] if waiting else None}
    context.show(result, lambda: printing_plan.prepared(result))
    sys.exit(done.run.exit_code or 0)


@cli.command()
@click.argument("batch", required=False)
@click.option("--all", "every", is_flag=True, help="Decided batches too.")
@click.option("--lines", is_flag=True, help="Print every journal line of BATCH.")
@with_json
@needs
def approvals(context: Context, batch: str | None, every: bool, lines: bool) -> None:
    """List the batches that wait for approval, or show BATCH whole."""
    from tieout.verbs import approving, batch_lines

    instance = context.opened(viewing=True)
    if batch is None:
        if lines:
            raise click.UsageError("Name the BATCH whose lines you want to see.")
        found = approving.approvals(instance, every=every)
        told = {"ok": True, "approvals": found}
        context.show(told, lambda: printing_plan.approvals(found))
        return
    shown = approving.approval(instance, batch)
    shown["journal_lines"] = batch_lines.lines(instance, batch)
    context.show({"ok": True, **shown}, lambda: printing_plan.approval(shown, lines=lines))


@cli.command()
@click.argument("batch")
@with_digest
@click.option(
    "--yes",
    multiple=True,
    metavar="RULE",
    help="What the batch asks is meant; several times for several rules.",
)
@click.option("--reason", default="", help="Why, kept with the decision.")
@click.option("--wait/--no-wait", default=True, help="Submit the journals and follow them.")
@with_json
@needs
def approve(
    context: Context, batch: str, digest: str | None, yes: tuple[str, ...], reason: str, wait: bool
) -> None:
    """Approve exactly the lines of BATCH; they are submitted to JD Edwards, once."""
    from tieout.verbs import approving, planning

    context.goes_on = GOES_ON
    instance = context.opened(practice=True, viewing=True)
    shown = approving.approval(instance, batch)
    whole = _digest_of(context, shown, digest)
    if whole is None:
        rules = sorted({ask["rule"] for ask in shown["summary"]["asks"]} - {*yes})
        whole, yes = _ask(shown, "Approve exactly these lines?", rules), (*yes, *rules)
    decided = approving.approve(instance, batch, whole, reason, yes=yes)
    if wait:
        _follow(context, instance, batch)
    left = planning.left_to(instance)
    result = planning.standing(instance, batch) | {"run": decided["run"]}
    context.show(result, lambda: printing_plan.approved(result, left=left))


@cli.command()
@click.argument("batch")
@with_digest
@click.option("--reason", required=True, help="Why; who prepared the batch reads it.")
@with_json
@needs
def refuse(context: Context, batch: str, digest: str | None, reason: str) -> None:
    """Decline BATCH: nothing of it is submitted."""
    from tieout.verbs import approving

    instance = context.opened(viewing=True)
    shown = approving.approval(instance, batch)
    whole = _digest_of(context, shown, digest) or _ask(shown, "Decline these lines?")
    result = approving.refuse(instance, batch, whole, reason)
    context.show(result, lambda: printing_plan.decided(result))


@cli.command()
@click.argument("batch")
@click.option("--reason", required=True, help="Why, kept with the batch.")
@with_json
@needs
def withdraw(context: Context, batch: str, reason: str) -> None:
    """Make BATCH void, of which nothing was submitted yet; whoever prepared it may."""
    from tieout.verbs import approving

    result = approving.withdraw(context.opened(), batch, reason)
    context.show(result, lambda: printing_plan.decided(result))


@cli.command()
@click.argument("journal")
@click.option("--reason", required=True, help="Why, kept with the journal.")
@with_json
@needs
def release(context: Context, journal: str, reason: str) -> None:
    """Let JOURNAL, which JD Edwards does not have, be submitted once more."""
    from tieout.verbs import approving

    context.goes_on = GOES_ON
    instance = context.opened(practice=True)
    released = approving.release(instance, journal, reason)
    _follow(context, instance, released["journal"]["batch"])


@cli.command()
@click.argument("batch", required=False, metavar="[BATCH|check]")
@click.option("--all", "every", is_flag=True, help="With check: verified journals too.")
@with_json
@needs
def journals(context: Context, batch: str | None, every: bool) -> None:
    """Show how the journals of all batches, or of BATCH, were last seen in JD Edwards.

    `tieout journals check` looks there now, and goes on with what can be.
    """
    if batch == CHECK:
        from tieout.verbs import planning  # brings the engine, which a look at the list needs not

        context.goes_on = GOES_ON
        instance = context.opened(practice=True)
        with progress.shown(instance):
            checked = planning.check_journals(instance, every=every)
        _end_checked(context, checked)
    if every:
        raise click.UsageError("--all is for `tieout journals check`; all are shown anyway.")
    from tieout.verbs import approving

    instance = context.opened(viewing=True)
    if batch:
        approving.approval(instance, batch)  # a wrong name is told
    found = approving.all_journals(instance, batch)
    context.show({"ok": True, "journals": found}, lambda: printing_plan.journals(found))


def _end_checked(context: Context, checked: list[dict[str, Any]]) -> None:
    """Show every batch that was checked; end with the gravest of their exit codes."""
    codes = {found["exit_code"] for found in checked} - {0}
    code = next((c for c in GRAVEST_FIRST if c in codes), max(codes, default=0))
    result = {"ok": code == 0, "exit_code": code, "batches": checked}
    context.show(result, lambda: printing_plan.checked(checked))
    sys.exit(code)


def _follow(context: Context, instance: Any, batch: str) -> None:
    """Carry out the runs of a batch, show how its journals stand, and end with that."""
    from tieout.verbs import planning

    with progress.shown(instance):
        result = planning.follow(instance, batch)
    context.show(result, lambda: printing_plan.followed(result))
    sys.exit(result["exit_code"])


def _digest_of(context: Context, shown: Mapping[str, Any], digits: str | None) -> str | None:
    """The whole digest of the lines a person has seen, as they typed it; None: to be asked here."""
    whole, batch = str(shown["digest"]), shown["batch"]
    if digits is not None:
        if len(digits) < DIGITS_MIN:
            raise click.UsageError(
                f"Give {DIGITS_MIN} or more digits of the digest that "
                f"`tieout approvals {batch}` shows."
            )
        return whole if whole.startswith(digits.lower()) else digits
    if context.as_json or not sys.stdin.isatty():
        raise click.UsageError(
            f"Say which lines you have seen: --digest with the first {DIGITS_MIN} or more digits "
            f"that `tieout approvals {batch}` shows."
        )
    return None


def _ask(shown: Mapping[str, Any], question: str, rules: Sequence[str] = ()) -> str:
    """Show a batch on the terminal and ask; its digest after a yes to everything."""
    printing_plan.seen(shown)
    asked = [*(f"{rule}: is that meant?" for rule in rules), question]
    if not all(click.confirm(text, err=True) for text in asked):
        printing.note("Nothing was decided.")
        sys.exit(WAITS)
    return str(shown["digest"])
