"""`tieout doctor`: how machine and instance stand, check by check."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from tieout.cli.commands import needs, with_json
from tieout.cli.main import Context, cli
from tieout.cli.printing import note
from tieout.core.findings import counted

SIGNS = {"good": "✓", "notice": "!", "trouble": "✗"}
Row = Mapping[str, Any]


@cli.command()
@click.option("--peers", is_flag=True, help="Ask JD Edwards and Anaplan what time it is there.")
@click.option(
    "--ledger", is_flag=True, help="Sign in to JD Edwards, and ask what its ledger is like."
)
@click.option("--port", default=7070, show_default=True, help="The port that `serve` would take.")
@click.option(
    "--bundle", type=click.Path(path_type=Path), metavar="FILE",
    help="Write a ZIP for support: no secret and no amount is in it.",
)  # fmt: skip
@with_json
@needs
def doctor(context: Context, peers: bool, ledger: bool, port: int, bundle: Path | None) -> None:
    """Look at machine, database, keys, records and clocks; say what is wrong and who can act."""
    from tieout.verbs import doctoring
    from tieout.verbs.checking import Looking

    looking = Looking(context.environment(), port=port, peers=peers, ledger=ledger)
    found = doctoring.examine(looking, bundle)
    context.show(found, lambda: _checks(found))
    sys.exit(found["exit_code"])


def _checks(found: Row) -> None:
    for check in found["checks"]:
        click.echo(f"{SIGNS[check['state']]} {check['code']:16} {check['what']}")
        if check["do"]:
            who = f" Who can do it: {check['who']}." if check["who"] else ""
            click.echo(f"  {'':16} {check['do']}{who}")
    told = [counted(found["troubles"], "trouble"), counted(found["notices"], "notice")]
    click.echo(f"{counted(len(found['checks']), 'check')}, {' and '.join(told)}.")
    if "bundle" in found:
        note(f"Wrote {found['bundle']}.")
