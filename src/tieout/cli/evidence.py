"""`tieout evidence`: all that an auditor needs of one period, in one ZIP."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from tieout.cli.commands import needs, with_json
from tieout.cli.main import Context, cli
from tieout.cli.printing import paragraph


@cli.command()
@click.option("--period", metavar="P", required=True, help="Fiscal year and period, 2025-03.")
@click.option("--flow", help="Only of this flow, and of the plan journals of the period.")
@click.option(
    "--to", type=click.Path(path_type=Path), metavar="FILE",
    help="Where to write it; else evidence-P.zip here.",
)  # fmt: skip
@with_json
@needs
def evidence(context: Context, period: str, flow: str | None, to: Path | None) -> None:
    """Write the evidence pack of PERIOD: a ZIP that can be read and checked without Tieout."""
    from tieout.verbs.evidence import making

    result = making.make(context.opened(), period, flow, to)
    context.show(result, lambda: _made(result))


def _made(result: Mapping[str, Any]) -> None:
    for sentence in result["verdicts"]:
        paragraph(sentence, indent="")
    size = f"{result['files']:,} files, {result['bytes']:,} bytes"
    click.echo(f"Wrote {result['file']}: {size}.")
    click.echo(f"SHA-256 {result['sha256']}, which the trail tells too.")
