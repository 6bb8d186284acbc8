"""A person consents on a device of theirs, once, that Tieout signs in to Anaplan as their user."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

from tieout.anaplan import consent
from tieout.anaplan.consent import Asked
from tieout.app import Instance
from tieout.doors import secret_name
from tieout.errors import Misconfigured
from tieout.project import AnaplanConnection
from tieout.verbs import acting

OAUTH = "oauth"


def give(instance: Instance, name: str, client_id: str, show: Callable[[Asked], None]) -> str:
    """Ask Anaplan for a code, `show` it, wait until it is confirmed, and seal the consent.

    Returns the name of the secret. Refused when the person declines or the code ends before.
    """
    by = acting.require(instance, "set credentials")
    project = instance.project()
    found = project.connections.get(name)
    if not isinstance(found, AnaplanConnection) or found.sign_in != OAUTH:
        raise Misconfigured(
            f"The connection {name} does not sign in by OAuth.", untouched="Nothing was asked.",
            do=f'Set sign_in = "{OAUTH}" of a connection to Anaplan.',
        )  # fmt: skip
    if not client_id.strip():
        raise Misconfigured("The id of the OAuth client is empty.", untouched="Nothing was asked.")
    with ExitStack() as close:
        oauth = instance.doors.oauth(project, found, close)
        asked = consent.ask(oauth, client_id.strip())
        show(asked)
        fields = consent.consented(oauth, client_id.strip(), asked, instance.clock)
    secret = secret_name(found.secret)
    instance.store.safe.put(secret, fields, by.name)
    return secret
