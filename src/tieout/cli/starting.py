"""`tieout init`: makes an instance, and its first project file from at most eight answers."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from tieout.cli import printing
from tieout.cli.commands import needs, with_json
from tieout.cli.main import Context, cli

# Option → what it answers; of a person at a terminal `verbs.starting` asks the first eight.
ANSWERS = {
    "--stage": "PROD, TEST or another word of capitals.",
    "--jde-url": "Address of the AIS server, with its path.",
    "--jde-environment": "JD Edwards environment.",
    "--companies": "Companies to load, 00001,00060.",
    "--from-period": "First fiscal year and period, 2025-01.",
    "--anaplan-region": "Region of Anaplan, such as us1 or eu3, or the address of a gateway.",
    "--workspace": "Anaplan workspace, by name.",
    "--model": "Anaplan model, by name.",
    "--ca-file": "Authorities (PEM) to trust instead of those of this machine.",
    "--sign-in": "How to sign in to Anaplan: basic, certificate, oauth.",
}


def _answers(function: Any) -> Any:
    for option, words in reversed(ANSWERS.items()):
        function = click.option(option, metavar="TEXT", help=words)(function)
    return function


@cli.command()
@click.option("--apply", is_flag=True, help="Apply HOME/tieout.toml as it is now.")
@click.option("--new-key", is_flag=True, help="Make another key when the old one is lost.")
@_answers
@with_json
@needs
def init(context: Context, /, apply: bool, new_key: bool, **given: str | None) -> None:
    """Make an instance: directory, database, key, and a commented project file.

    At a terminal it asks at most eight questions; the options answer them for scripts. What is
    not answered stands in the file as an example.
    """
    from tieout.app import PROJECT_FILE
    from tieout.verbs import setting_up, starting

    file = context.environment().home / PROJECT_FILE
    answers = {key: value for key, value in given.items() if value is not None}
    if not file.exists() and sys.stdin.isatty() and not (apply or context.as_json):
        for question in starting.QUESTIONS:
            if question.key not in answers:
                answers[question.key] = click.prompt(question.words, question.given, err=True)
    starting.checked(file, answers)  # an answer that cannot be meant makes nothing
    instance = context.made()
    setting_up.make_instance(instance, new_key=new_key)
    wrote = starting.write_project(instance, answers)
    result: dict[str, Any] = {"ok": True, "home": str(instance.home), "version": None}
    if apply:
        applied = setting_up.apply_project(instance)
        result |= {"version": applied.version, "changes": applied.changes}
    context.show(result, lambda: printing.made(result, wrote))


def practice_in_background(home: Path, options: Mapping[str, Any]) -> None:
    """Start practice systems that stay, and say where they are and what they gave."""
    from tieout.verbs import practice

    arguments = []
    for name, value in options.items():
        option = f"--{name.replace('_', '-')}"
        if value is True:
            arguments.append(option)
        elif value is not False:
            arguments += [option, str(value)]
    found = practice.start_practice(home, *arguments)
    folder = home / practice.PRACTICE_DIRECTORY
    shown = folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder
    click.echo(f"Practice JD Edwards: {found['jde']}/jderest, environment JPD920.")
    click.echo(f"Practice Anaplan: {found['anaplan']}, workspace Finance, model FP&A 2026.")
    click.echo(f"In {shown}:")
    for name, what in practice.GIVEN.items():
        if (folder / name).exists():
            click.echo(f"  {name:<12} {what}")
    click.echo(f"`tieout sim --home {shown.parent} --stop` ends them.")
