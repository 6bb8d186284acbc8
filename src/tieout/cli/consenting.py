"""`tieout connect` by OAuth: shows the code that a person confirms, and waits for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tieout.cli import printing
from tieout.cli.main import Context

if TYPE_CHECKING:
    from tieout.anaplan.consent import Asked
    from tieout.app import Instance

MINUTE_SECONDS = 60


def consent(context: Context, instance: Instance, name: str, client_id: str | None) -> None:
    """Begin a consent, show where it is given, and seal it when it is."""
    from tieout.verbs import consenting

    client = client_id or click.prompt("Id of the OAuth client", err=True)
    secret = consenting.give(instance, name, client, _show)
    result = {"ok": True, "connection": name, "secret": secret}
    context.show(result, lambda: click.echo(f"Sealed the consent of {name} as secret://{secret}."))


def _show(asked: Asked) -> None:
    """To the terminal; results go elsewhere."""
    minutes = asked.seconds // MINUTE_SECONDS
    printing.note(f"Open {asked.address} as the Anaplan user, and type {asked.user_code}.")
    if asked.address_with_code:
        printing.note(f"Or open {asked.address_with_code}")
    printing.note(f"Waiting until it is confirmed, at most {minutes} minutes; Ctrl-C ends it.")
