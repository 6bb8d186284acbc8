"""Mail, Slack, Teams and others: the only door to the library that speaks to them.

It has a hundred kinds of addresses, most of which call any host that they name. Only those below
are used: mail, and services whose host is their vendor's. The host must be an allowed address all
the same. The library follows its own rules for redirects and resolving, not those of `http.py`.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from tieout.errors import Misconfigured, Unavailable
from tieout.outgoing import Allowed

# Kind → the one host it calls; "": the host in the address, which for mail is the server it uses.
KINDS = {
    "mailto": "", "mailtos": "", "workflows": "", "slack": "hooks.slack.com",
    "discord": "discord.com", "gchat": "chat.googleapis.com", "tgram": "api.telegram.org",
}  # fmt: skip
HTTPS_PORT = 443

# They write addresses with their keys into their logs.
for _library in ("apprise", "requests", "urllib3", "requests_oauthlib"):
    logging.getLogger(_library).setLevel(logging.CRITICAL)


def send(address: str, title: str, body: str, allow: Sequence[str]) -> None:
    """Send one message; Misconfigured for an address that may not be used, else Unavailable.

    Nothing of the address stands in what is raised: it holds passwords.
    """
    kind = address.partition("://")[0].lower()
    if kind not in KINDS:
        raise Misconfigured(
            f"Notices are not sent to addresses of the kind {kind!r}.",
            untouched="Nothing was sent.", do=f"Use https, or one of: {', '.join(KINDS)}.",
        )  # fmt: skip
    import apprise

    asset = apprise.AppriseAsset(app_id="Tieout", app_desc="Tieout", app_url="", plugin_paths=[])
    receiver = apprise.Apprise.instantiate(address, asset=asset, suppress_exceptions=True)
    if receiver is None:
        raise Misconfigured(
            f"The sealed address of the kind {kind!r} cannot be read.",
            untouched="Nothing was sent.", do="Seal it again with `tieout notices connect`.",
        )  # fmt: skip
    allowed = Allowed(allow)
    origin, _, _ = allowed.checked(_place(kind, receiver), "the receiver of notices", False)
    try:
        allowed.addresses(origin)
    except OSError as error:
        raise Unavailable(f"No address is known of the receiver ({kind}).") from error
    try:
        taken = receiver.notify(body=body, title=title)
    except Exception as error:  # its hundred authors raise what they like
        raise Unavailable(f"The receiver ({kind}) failed: {type(error).__name__}.") from error
    if not taken:
        raise Unavailable(f"The receiver ({kind}) did not take the notice.")


def _place(kind: str, receiver: Any) -> str:
    """Where the library will call, as an address of the list of allowed ones."""
    host = KINDS[kind] or str(getattr(receiver, "smtp_host", "") or receiver.host)
    return f"https://{host}:{receiver.port or HTTPS_PORT}" if not KINDS[kind] else f"https://{host}"
