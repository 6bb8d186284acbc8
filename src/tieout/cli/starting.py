"""`tieout init`: makes an instance, and its first project file from at most eight answers."""

from __future__ import annotations

import sys
from typing import Any

import click

from tieout.cli import printing
from tieout.cli.commands import needs, with_json
from tieout.cli.main import Context, cli

# Option → what it answers; `verbs.starting` asks the same of a person at a terminal.
ANSWERS = {
    "--stage": "PROD, TEST or another word of capitals.",
    "--jde-url": "Address of the AIS server, with its path.",
    "--jde-environment": "JD Edwards environment.",
    "--companies": "Companies to load, 00001,00060.",
    "--from-period": "First fiscal year and period, 2025-01.",
    "--anaplan-region": "Region of Anaplan, such as us1 or eu3.",
    "--workspace": "Anaplan workspace, by name.",
    "--model": "Anaplan model, by name.",
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

    instance = context.made()
    setting_up.make_instance(instance, new_key=new_key)
    answers = {key: value for key, value in given.items() if value is not None}
    new = not (instance.home / PROJECT_FILE).exists()
    if new and sys.stdin.isatty() and not (apply or context.as_json):
        for question in starting.QUESTIONS:
            if question.key not in answers:
                answers[question.key] = click.prompt(question.words, question.given, err=True)
    wrote = starting.write_project(instance, answers)
    result: dict[str, Any] = {"ok": True, "home": str(instance.home), "version": None}
    if apply:
        applied = setting_up.apply_project(instance)
        result |= {"version": applied.version, "changes": applied.changes}
    context.show(result, lambda: printing.made(result, wrote))
