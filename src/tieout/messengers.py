"""Mail, Slack, Teams and others: the only door to the library that speaks to them.

The library only says what is sent. Its requests and its mail leave through our own door, which
calls allowed addresses alone, where they were when they were checked, follows no redirect, asks
the environment for no proxy and bounds every answer; so an address cannot lead elsewhere, whatever
it asks for.
"""

from __future__ import annotations

import io
import logging
import smtplib
import socket
import threading
import time
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import cache
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

from tieout.clock import Clock
from tieout.errors import Misconfigured, Trouble, Unavailable
from tieout.http import Answer, Http
from tieout.network import trust
from tieout.outgoing import Allowed, Origin
from tieout.through import NOTHING_BESIDES, Means

MAIL = ("mailto", "mailtos")
# Kinds that send by HTTP alone, in the thread that asks them to.
KINDS = (
    *MAIL, "workflows", "slack", "discord", "gchat", "tgram", "wxteams", "mmosts", "rockets",
    "zulip", "ntfys", "pover", "pagerduty",
)  # fmt: skip
SEND_SECONDS_MAX = 20.0
MAIL_REPLIES_BYTES_MAX = 2**20  # of one mail server, while it takes one mail
LATER_STATUSES = (429, 500, 502, 503, 504)
# What says how the library reads the body of an answer; ours is unzipped and whole already.
_OF_THE_WIRE = ("content-encoding", "transfer-encoding", "content-length", "connection")

# They write addresses with their keys into their logs.
for _name in ("apprise", "requests", "urllib3", "requests_oauthlib"):
    logging.getLogger(_name).setLevel(logging.CRITICAL)


@dataclass(frozen=True, slots=True)
class Door:
    """Where messages may go: the allowed addresses, who is trusted there, and a proxy."""

    allowed: Allowed
    clock: Clock
    allow_http: bool = False
    ca_file: str = ""
    means: Means = NOTHING_BESIDES

    def to(self, base: str, receiver: str) -> Http:
        """One receiver; its paths are passwords and stand in no sentence."""
        return Http(
            base, system=receiver, clock=self.clock, tries=1, allowed=self.allowed,
            timeout_seconds=SEND_SECONDS_MAX, ca_file=self.ca_file or None,
            allow_http=self.allow_http, means=replace(self.means, secret_paths=True),
        )  # fmt: skip


def send(address: str, title: str, body: str, door: Door) -> None:
    """Send one message; Misconfigured for an address that may not be used, else Unavailable.

    Uncertain when it may have arrived. Nothing of the address stands in what is raised: it holds
    passwords.
    """
    kind = address.partition("://")[0].lower()
    if kind not in KINDS:
        raise Misconfigured(
            f"Notices are not sent to addresses of the kind {kind!r}.",
            untouched="Nothing was sent.", do=f"Use https, or one of: {', '.join(KINDS)}.",
        )  # fmt: skip
    receiver = receiver_of(address)
    if receiver is None:
        raise Misconfigured(
            f"The sealed address of the kind {kind!r} cannot be read.",
            untouched="Nothing was sent.", do="Seal it again with `tieout notices connect`.",
        )  # fmt: skip
    sending = _Sending(f"The receiver ({kind})", door)
    if kind in MAIL:
        sending.mail_server = _mail_server(receiver, door)
    _here.sending = sending
    try:
        taken = receiver.notify(body=body, title=title)
    except Trouble:
        raise
    except Exception as error:  # its hundred authors raise what they like
        raise Unavailable(f"The receiver ({kind}) failed: {type(error).__name__}.") from error
    finally:
        _here.sending = None
    if not taken:
        sending.tell_why()


def receiver_of(address: str) -> Any:
    """What the library makes of an address; None when it makes nothing of it.

    It checks certificates and follows no redirect, whatever the address asks for; Misconfigured
    for one that asks it to fetch or read something besides.
    """
    library = _library()
    asset = library.AppriseAsset(
        app_id="Tieout", app_desc="Tieout", app_url="", plugin_paths=[], http_redirects=False
    )
    receiver = library.Apprise.instantiate(address, asset=asset, suppress_exceptions=True)
    if receiver is not None:
        receiver.redirects, receiver.verify_certificate = False, True
    for option in ("template", "use_wkd"):
        if getattr(receiver, option, None):
            raise Misconfigured(
                f"The sealed address asks for something to be fetched ({option.split('_')[-1]}=).",
                untouched="Nothing was sent.",
                do="Leave it out, and seal the address again with `tieout notices connect`.",
            )
    return receiver


def refuse(status: int, receiver: str = "The receiver") -> None:
    """Nothing for a status that says that a message was taken; else Trouble."""
    if status in LATER_STATUSES:
        raise Unavailable(f"{receiver} answered {status}.")
    if not 200 <= status < 300:
        raise Misconfigured(
            f"{receiver} answered {status}.", untouched="The notice was not taken.",
            do="Check the address of the notice.",
        )  # fmt: skip


@dataclass(slots=True)
class _Sending:
    """One message on its way, through `door`."""

    name: str
    door: Door
    mail_server: Origin | None = None
    status: int = 0
    why: str = ""
    ends: float = field(default_factory=lambda: time.monotonic() + SEND_SECONDS_MAX)

    def tell_why(self) -> None:
        """Trouble that says why the message was not taken."""
        if self.status:
            refuse(self.status, self.name)
        raise Unavailable(f"{self.name} did not take the notice{self.why}.")

    # ------------------------------------------------------------------ by HTTP

    def send(self, request: Any, **_: object) -> Any:
        """What the library's sessions ask of an adapter: one exchange, and its answer."""
        parts = urlsplit(request.url)
        body = request.body or b""
        headers = {k: v for k, v in request.headers.items() if k.lower() not in _OF_THE_WIRE}
        with closing(self.door.to(f"{parts.scheme}://{parts.netloc}", self.name)) as http:
            answer = http.send(
                request.method, parts.path or "/", query=parts.query,
                headers=headers | {"Accept-Encoding": "gzip"},
                body=body.encode() if isinstance(body, str) else body, repeatable=False, once=True,
            )  # fmt: skip
        self.status = answer.status
        return _answered(request, answer)

    def close(self) -> None:
        """Each exchange closed what it had opened."""

    # ------------------------------------------------------------------ by mail

    def connected(self, host: str, port: int) -> socket.socket:
        """A connection to the mail server, at one of the addresses that were checked."""
        origin = self.mail_server
        if origin is None or (host.lower(), port) != (origin.host, origin.port):
            raise OSError("another mail server than the one that was checked")
        self.why = ": no address is known of the mail server"
        addresses = self.door.allowed.addresses(origin)
        self.why = ": the mail server was not reached"
        failed = OSError("no address")
        for address in addresses:
            try:
                door = socket.create_connection((address, port), self._left())
            except OSError as error:
                failed = error
            else:
                self.why = ""
                return door
        raise failed

    def _left(self) -> float:
        left = self.ends - time.monotonic()
        if left <= 0:
            self.why = ": the mail server did not answer in time"
            raise TimeoutError(self.why)
        return left

    def reply(self, read: int, line: bytes) -> int:
        """How much was read of the mail server with one more line; OSError when it is too much."""
        self._left()
        if read + len(line) > MAIL_REPLIES_BYTES_MAX:
            self.why = ": the mail server says more than a mail server has to say"
            raise OSError(self.why)
        if line[:1] in b"45" and line[:1]:
            self.why = f": the mail server answered {line[:3].decode('latin-1')!r}"
        return read + len(line)


class _Here(threading.local):
    """What this thread is sending; nothing in all others."""

    sending: _Sending | None = None


_here = _Here()


def _mail_server(receiver: Any, door: Door) -> Origin:
    """Its checked place; mail without TLS is an exception like http."""
    clear = receiver.secure_mode == "insecure"
    host, port = receiver.smtp_host or receiver.host, receiver.port
    what = "the mail server, which is called without TLS," if clear else "the mail server"
    scheme = "http" if clear else "https"
    return door.allowed.checked(f"{scheme}://{host}:{port}", what, door.allow_http)[0]


class _Replies:
    """What a mail server says, line by line, bounded as a whole."""

    def __init__(self, file: io.BufferedReader, sending: _Sending) -> None:
        self._file, self._sending, self._read = file, sending, 0

    def readline(self, limit: int) -> bytes:
        """The next line."""
        line = self._file.readline(limit)
        self._read = self._sending.reply(self._read, line)
        return line

    def close(self) -> None:
        """Close it."""
        self._file.close()


class _Mail(smtplib.SMTP):
    """A mail server, reached at the address that was checked; TLS as everywhere else."""

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        return _now().connected(host, port)

    def getreply(self) -> tuple[int, bytes]:
        """The next reply."""
        if self.file is None and self.sock is not None:
            self.file = _Replies(self.sock.makefile("rb"), _now())
        return super().getreply()

    def starttls(self, *_: Any, **__: Any) -> tuple[int, bytes]:
        """The same connection under TLS."""
        return super().starttls(context=trust(_now().door.ca_file or None))


class _MailOverTls(smtplib.SMTP_SSL, _Mail):
    """The same, under TLS from the first byte on."""

    def __init__(self, host: str, port: int, name: str | None, timeout: float, **_: Any) -> None:
        context = trust(_now().door.ca_file or None)
        super().__init__(host, port, name, timeout=timeout, context=context)


def _now() -> _Sending:
    assert _here.sending is not None, "mail leaves by `send` alone"
    return _here.sending


@cache
def _library() -> Any:
    """The library, whose messages leave through `_Sending` from now on."""
    import apprise
    import requests
    from apprise.plugins.email import smtp

    usual = requests.Session.get_adapter

    def chosen(session: requests.Session, url: str) -> Any:
        return _here.sending or usual(session, url)

    kind: Any = requests.Session
    kind.get_adapter = chosen  # the library opens sessions of its own, and has no other way in
    names = {name: getattr(smtplib, name) for name in smtplib.__all__}
    ours = SimpleNamespace(**names | {"SMTP": _Mail, "SMTP_SSL": _MailOverTls})
    mail: Any = smtp
    mail.smtplib = ours  # where it looks its classes up
    return apprise


def _answered(request: Any, answer: Answer) -> Any:
    """An answer as the library knows them."""
    import requests

    made = requests.Response()
    made.status_code, made.url, made.request = answer.status, request.url, request
    made.headers.update({k: v for k, v in answer.headers.items() if k not in _OF_THE_WIRE})
    made.raw = io.BytesIO(answer.body)
    return made
