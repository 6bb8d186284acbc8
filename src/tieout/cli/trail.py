"""The commands about the audit trail."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from tieout.cli import printing
from tieout.cli.commands import needs, with_json
from tieout.cli.main import Context, cli

NOT_WHOLE = 6  # exit code, docs/reference/exit-codes.md
PROBLEMS_SHOWN_MAX = 20


@cli.group()
def audit() -> None:
    """The trail of who did what: check it, hand it out, sign it."""


@audit.command("verify")
@click.option(
    "--anchor", type=click.Path(path_type=Path), metavar="FILE",
    help="The checkpoints kept elsewhere (TIEOUT_ANCHOR, else HOME/checkpoints.jsonl).",
)  # fmt: skip
@with_json
@needs
def verify_trail(context: Context, anchor: Path | None) -> None:
    """Check every entry, checkpoint and kept file; name the first entry that does not fit."""
    from tieout.verbs import trail

    result = trail.check(context.opened(), anchor)
    context.show(result, lambda: _checked(result))
    sys.exit(0 if result["ok"] else NOT_WHOLE)


@audit.command("export")
@needs
def export_trail(context: Context) -> None:
    """Print the whole trail as lines of JSON, which verify_trail.py checks anywhere."""
    from tieout.verbs import trail

    for line in trail.export(context.opened()):
        click.echo(line)


@audit.command("checkpoint")
@with_json
@needs
def sign_trail(context: Context) -> None:
    """Sign how far the trail has come now; the end of every run does so by itself."""
    from tieout.verbs import trail

    result = trail.sign(context.opened())
    context.show(result, lambda: click.echo(result["checkpoint"]))
    printing.note(f"It stands in {result['anchor']}.")


def _checked(result: Mapping[str, Any]) -> None:
    counts = f"{result['entries']} entries, {result['checkpoints']} checkpoints"
    click.echo(f"{counts} and {result['files']} kept files were checked.")
    click.echo(f"Head: {result['head']}")
    for key in result["public_keys"]:
        click.echo(f"Signed with the key whose public part is {key}.")
    for problem in result["problems"][:PROBLEMS_SHOWN_MAX]:
        click.echo(problem)
    if (more := len(result["problems"]) - PROBLEMS_SHOWN_MAX) > 0:
        click.echo(f"And {more} more; --json tells all.")
    for notice in result["notices"]:
        printing.note(notice)
    click.echo("The trail is NOT WHOLE." if result["problems"] else "The trail is whole.")
