"""`tieout certify`: list, prepare and sign certifications of periods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from tieout.cli.commands import needs, with_json
from tieout.cli.main import Context, cli
from tieout.cli.printing import following, paragraph
from tieout.core.findings import counted
from tieout.verbs.words import moment

DIGITS_MIN = 8  # of a digest that a person types
DIGEST_DIGITS = 12


@cli.command()
@click.argument("company", required=False)
@click.argument("period", required=False)
@click.option("--prepare", "to_prepare", is_flag=True, help="Say that it ties; another certifies.")
@click.option("--digest", default="", metavar="D", help="Certify the amounts of this digest.")
@click.option("--why", default="", help="A remark, kept with the certification.")
@click.option("--flow", help="The actuals flow, if there are several.")
@with_json
@needs
def certify(
    context: Context, company: str | None, period: str | None, to_prepare: bool, digest: str,
    why: str, flow: str | None,
) -> None:  # fmt: skip
    """Certify that PERIOD (2025-03) of COMPANY ties; without arguments: list certifications."""
    from tieout.verbs import certifying, running

    instance = context.opened()
    if company is None:
        found = certifying.listed(instance, flow)
        context.show({"ok": True, "certifications": found}, lambda: _listed(found))
        return
    if period is None or to_prepare == bool(digest):
        raise click.UsageError("Give COMPANY PERIOD and either --prepare or --digest D.")
    name = running.actuals_flow(instance, flow)
    if to_prepare:
        done = certifying.prepare(instance, name, company, period)
    else:
        whole = _whole(certifying.listed(instance, name), company, period, digest)
        done = certifying.certify(instance, name, company, period, whole, why)
    context.show(done, lambda: _listed([done]))


def _whole(found: Sequence[Mapping[str, Any]], company: str, period: str, digits: str) -> str:
    """The digest that begins with what was typed, of this company and period."""
    if len(digits) < DIGITS_MIN:
        raise click.UsageError(f"Give at least {DIGITS_MIN} digits of the digest.")
    for c in found:
        at = f"{c['fiscal_year']}-{c['period']:02d}"
        if (c["company"], at) == (company, period) and c["digest"].startswith(digits):
            return str(c["digest"])
    return digits


def _listed(found: Sequence[Mapping[str, Any]]) -> None:
    if not found:
        click.echo("Nothing is certified yet.")
        following("tieout certify COMPANY PERIOD --prepare")
        return
    for c in found:
        click.echo(f"{c['certification']}: {c['state']}, {counted(c['cells'], 'cell')}")
        told = f"Prepared by {c['prepared_by']}, {moment(c['prepared_at'])}, as {c['run']} saw it"
        if c["certified_by"]:
            told += f"; certified by {c['certified_by']}, {moment(c['certified_at'])}"
        if c["reopened_by"]:
            told += f"; open again since {c['reopened_by']} found other amounts"
        paragraph(f"{told}. Digest {c['digest'][:DIGEST_DIGITS]}.")
        if c["reason"]:
            paragraph(c["reason"])
    waiting = [c for c in found if c["state"] == "prepared"]
    if waiting:
        c = waiting[0]
        at = f"{c['fiscal_year']}-{c['period']:02d}"
        following(f"tieout certify {c['company']} {at} --digest {c['digest'][:DIGEST_DIGITS]}")
