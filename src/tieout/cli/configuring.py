"""`tieout config`: export, plan, apply, and what two people decide over."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from tieout.cli.commands import needs, with_json
from tieout.cli.main import Context, cli
from tieout.cli.printing import following, paragraph, table
from tieout.core.findings import counted
from tieout.verbs.words import moment

DIGITS_MIN = 8  # of a digest that a person types
DIGEST_DIGITS = 12
STDIN = "-"
Told = Mapping[str, Any]


@cli.group("config", invoke_without_command=True)
@with_json
@click.pass_context
def config(context: click.Context) -> None:
    """The configuration as code: what holds, what would change, and who changed it.

    Without a command: which version holds, and what waits for a second person.
    """
    if context.invoked_subcommand is None:
        from tieout.verbs import configuring

        own: Context = context.obj
        found = configuring.overview(own.opened(viewing=True))
        own.show(found, lambda: _overview(found))


@config.command("export")
@click.option("--version", type=int, metavar="N", help="An earlier version.")
@click.option("--proposal", default="", metavar="ID", help="One that waits for a second person.")
@needs
def export(context: Context, version: int | None, proposal: str) -> None:
    """Print the configuration that holds, byte for byte as it was applied."""
    from tieout.verbs import configuring

    text = configuring.exported(context.opened(viewing=True), version, proposal)
    sys.stdout.buffer.write(text.encode())
    sys.stdout.buffer.flush()


@config.command("plan")
@click.argument("file", default="")
@click.option("--proposal", default="", metavar="ID", help="One that waits for a second person.")
@click.option("--lines", is_flag=True, help="Show the lines of the texts too.")
@with_json
@needs
def plan(context: Context, file: str, proposal: str, lines: bool) -> None:
    """Say what applying FILE (else HOME/tieout.toml; - is stdin) would change; nothing is done."""
    from tieout.verbs import configuring

    instance = context.opened(viewing=True)
    if proposal:
        found = configuring.plan_of_proposal(instance, proposal)
    else:
        text, source = _given(instance, file)
        found = configuring.plan(instance, text, source)
    context.show(found, lambda: _planned(found, lines))


@config.command("apply")
@click.argument("file", default="")
@click.option("--why", default="", help="Why it changes; kept with the new version.")
@click.option("--replace", is_flag=True, help="Write over edits of tieout.toml never applied.")
@with_json
@needs
def apply(context: Context, file: str, why: str, replace: bool) -> None:
    """Make FILE (else HOME/tieout.toml; - is stdin) the configuration.

    Where the applied policy asks for two people it is proposed, and ends with exit code 7.
    """
    from tieout.verbs import configuring

    instance = context.opened()
    text, source = _given(instance, file)
    done = configuring.apply(instance, configuring.Wanted(text, why, replace), source)
    context.show(done, lambda: _applied(done))
    sys.exit(done.get("exit_code", 0))


@config.command("approve")
@click.argument("proposal")
@click.option("--digest", default="", metavar="D", help="The digest of the text you have seen.")
@with_json
@needs
def approve(context: Context, proposal: str, digest: str) -> None:
    """Apply PROPOSAL, which another person made."""
    from tieout.verbs import configuring

    instance = context.opened()
    seen = configuring.plan_of_proposal(instance, proposal)
    whole = seen["proposal"]["sha256"]
    if len(digest) < DIGITS_MIN or not whole.startswith(digest):
        raise click.UsageError(
            f"Give the digest of what you have seen, at least {DIGITS_MIN} digits of it: "
            f"`tieout config plan --proposal {proposal}` shows it."
        )
    done = configuring.approve(instance, proposal, whole)
    words = f"{done['proposal']} of {done['proposed_by']} holds now as version {done['version']}."
    context.show(done, lambda: click.echo(words))


@config.command("decline")
@click.argument("proposal")
@click.option("--why", default="", help="The reason, which is kept.")
@with_json
@needs
def decline(context: Context, proposal: str, why: str) -> None:
    """Say no to PROPOSAL; who made it takes it back."""
    from tieout.verbs import configuring

    done = configuring.decline(context.opened(), proposal, why)
    context.show(done, lambda: click.echo(f"{done['proposal']} is {done['state']}."))


@config.command("history")
@with_json
@needs
def history(context: Context) -> None:
    """List every version: when, by whom and why."""
    from tieout.verbs import configuring

    found = configuring.history(context.opened(viewing=True))
    context.show({"ok": True, "versions": found}, lambda: _history(found))


@config.command("schema")
def schema() -> None:
    """Print the JSON Schema of tieout.toml, for editors."""
    from tieout.verbs import configuring

    click.echo(json.dumps(configuring.schema(), indent=2, ensure_ascii=False))


def _given(instance: Any, file: str) -> tuple[str, str]:
    """The text of a file, of stdin, or of the project file, and its name."""
    from tieout.app import PROJECT_FILE
    from tieout.project_text import decoded, read_file

    if file == STDIN:
        return decoded(sys.stdin.buffer.read(), "standard input"), "standard input"
    path = Path(file) if file else instance.home / PROJECT_FILE
    return read_file(path), str(path)


# ---------------------------------------------------------------------------- printed


def _overview(found: Told) -> None:
    if found["version"] is None:
        click.echo("Nothing is configured yet.")
        following("tieout init")
        return
    click.echo(f"Version {found['version']} holds since {moment(found['applied_at'])}.")
    paragraph(_who(found))
    if found["file_differs"]:
        paragraph(f"{found['file']} says something else: {'; '.join(found['file_differs'])}.")
        following("tieout config plan", "tieout config apply --why …")
    for waiting in found["waiting"]:
        paragraph(
            f"{waiting['proposal']} of {waiting['proposed_by']} waits for another person: "
            f"{waiting['why']}."
        )
        following(f"tieout config plan --proposal {waiting['proposal']}")


def _who(config: Told) -> str:
    by = f"Applied by {config['applied_by']}"
    first = f", proposed by {config['proposed_by']}" if config["proposed_by"] else ""
    return f"{by}{first}{': ' + config['why'] if config['why'] else ''}."


def _planned(found: Told, lines: bool) -> None:
    proposal = found.get("proposal")
    if proposal:
        paragraph(f"{proposal['proposal']} of {proposal['proposed_by']}: {proposal['why']}.")
    if not found["changes"]:
        click.echo("Nothing would change.")
        return
    for change in found["changes"]:
        paragraph(change["what"])
    for sentence in found["follows"]:
        paragraph(sentence)
    for line in found["lines"] if lines else ():
        click.echo(line)
    if proposal:
        digest = found["sha256"][:DIGEST_DIGITS]
        following(f"tieout config approve {proposal['proposal']} --digest {digest}")
    elif found["two_people"]:
        paragraph("Applying it takes a second person.")


def _applied(done: Told) -> None:
    if done["proposal"] is None and not done["applied"]:
        click.echo(f"Nothing changes: version {done['version']} holds, and says the same.")
        return
    told = {**done, "proposal": None, "two_people": False}
    _planned(told if done["version"] != 1 else told | {"changes": _in_short(done)}, lines=False)
    if done["applied"]:
        changed = counted(len(done["changes"]), "change")
        click.echo(f"Applied as version {done['version']} ({changed}).")
        return
    proposal = done["proposal"]["proposal"]
    paragraph(
        f"{proposal} waits for another person; version {done['version']} holds until then, and "
        "tieout.toml says so."
    )
    following(f"tieout config plan --proposal {proposal}")


def _in_short(done: Told) -> list[Told]:
    """Of a first configuration everything is new: its tables, and how many keys each has."""
    keys = [change["what"].partition(" ")[0] for change in done["changes"]]
    tables = Counter(".".join(key.split(".")[:2]) for key in keys)
    told = ", ".join(f"{name} ({counted(count, 'key')})" for name, count in tables.items())
    return [{"what": f"The first configuration: {told}."}]


def _history(found: Sequence[Told]) -> None:
    rows = [
        (str(one["version"]), moment(one["applied_at"]), one["applied_by"],
         one["proposed_by"] or "", str(one["changes"]), one["why"] or "")
        for one in found
    ]  # fmt: skip
    table(["version", "applied", "by", "proposed by", "keys", "why"], rows)
