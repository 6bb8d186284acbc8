"""The one door to other systems: limits, bounded tries, what may have happened, strict JSON."""

from __future__ import annotations

import logging
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any
from urllib.parse import urlsplit

import httpcore2
import httpx2
import msgspec

from tieout.body import DamagedError, UnreadableError, whole_body
from tieout.clock import Clock
from tieout.errors import Refused, Unavailable, Uncertain
from tieout.network import Deadlines, Network, trust
from tieout.outgoing import Allowed
from tieout.pace import Pace, back_off, retry_after
from tieout.redaction import guard_logs, hide
from tieout.strict_json import JSON_VALUES_MAX, excerpt, plain, read_json
from tieout.through import NOTHING_BESIDES, Means, Through, not_through

CONNECT_SECONDS_MAX = 10.0
TRIES = 4
CONNECTIONS_MAX, CONNECTION_IDLE_SECONDS_MAX = 16, 5.0
TOO_MANY_REQUESTS = 429
GATEWAY_STATUSES = (502, 503, 504)
SECRET_HEADERS = {"authorization", "proxy-authorization", "jde-ais-auth"}
REDIRECT_STATUSES = (301, 302, 303, 307, 308)
# How TLS says that the certificate we showed is not taken.
REFUSES_OURS = ("ALERT_UNKNOWN_CA", "ALERT_CERTIFICATE", "ALERT_BAD_CERTIFICATE")
OK_STATUSES, SERVER_ERROR_STATUS, LAST_STATUS = range(200, 300), 500, 599

# The libraries log every URL and, at DEBUG, every header: tokens included. They stay silent, and
# what a person turns on all the same goes through the redaction.
guard_logs()
for _name in ("", ".connection", ".http11", ".http2", ".proxy", ".socks"):
    for _library in ("httpx2", "httpcore2", "httpx", "httpcore"):
        logging.getLogger(_library + _name).setLevel(logging.WARNING)

_encoder = msgspec.json.Encoder(decimal_format="number")


@dataclass(frozen=True, slots=True)
class Call:
    """One exchange, for evidence: the path with its query cut down to names, no header, no body.

    `status` 0 means that no whole answer came; `tries` says which try this was, from 1.
    """

    system: str
    method: str
    path: str
    status: int
    milliseconds: int
    bytes_in: int
    bytes_out: int
    tries: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What the peer answered; header names are lower case, the body is already unzipped."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    system: str = "The peer"

    @property
    def ok(self) -> bool:
        """Whether the status is 2xx."""
        return self.status in OK_STATUSES

    def json(self, values_max: int = JSON_VALUES_MAX) -> Any:
        """The body as strict JSON: `Decimal` for fractions and exponents, `int` for the rest.

        Raises Refused for a page, an empty or cut body, NaN, a name given twice, depth over 64,
        more than `values_max` values.
        """
        return read_json(self.body, self.system, values_max)

    def json_object(self, values_max: int = JSON_VALUES_MAX) -> dict[str, Any]:
        """The body as a JSON object; anything else is Refused."""
        value = self.json(values_max)
        if not isinstance(value, dict):
            raise Refused(
                f"{self.system} answered with JSON, but not with an object.",
                evidence=self.excerpt(),
            )
        return value

    def excerpt(self) -> str:
        """The first words of the body, printable and with secrets blotted out."""
        return excerpt(self.body)


@dataclass(frozen=True, slots=True)
class _Lost:
    """No usable answer: why, and whether the peer may have carried the request out."""

    why: str
    sent: bool
    wait_seconds: float | None = None
    evidence: str = ""
    final: bool = False  # the next try would end the same way
    answer: Answer | None = None  # what came, if it says to come back later
    code: str = "cut-off"


@dataclass(frozen=True, slots=True)
class _Sending:
    """One request ready to go, as often as needed."""

    method: str
    url: str
    shown: str
    headers: dict[str, str]
    content: bytes
    seconds: float


class _Transport(httpx2.HTTPTransport):
    """HTTP/1.1 over connections with deadlines, through a proxy only where one is named."""

    def __init__(
        self, tls: ssl.SSLContext, network: Network, through: Through | None = None
    ) -> None:
        super().__init__(verify=tls, trust_env=False)
        same: dict[str, Any] = {
            "ssl_context": tls, "max_connections": CONNECTIONS_MAX, "http1": True, "http2": False,
            "keepalive_expiry": CONNECTION_IDLE_SECONDS_MAX, "network_backend": network,
        }  # fmt: skip
        if through is None:
            self._pool = httpcore2.ConnectionPool(**same)
        else:
            login = through.login()
            self._pool = httpcore2.HTTPProxy(proxy_url=through.url, proxy_auth=login, **same)


class Http:
    """A connection to one base URL; safe to use from many threads.

    `system` is the peer's name in sentences; `timeout_seconds` bounds each try as a whole;
    `ca_file` (PEM) replaces the public certificate authorities; `allowed` says which
    addresses may be called; `told` hears of every exchange. `means` are a certificate of ours, a
    proxy, and cookies for load balancers that need them.
    """

    def __init__(
        self, base_url: str, *, system: str, clock: Clock, allowed: Allowed,
        timeout_seconds: float = 60, ca_file: str | None = None, allow_http: bool = False,
        told: Callable[[Call], None] | None = None, tries: int = TRIES,
        means: Means = NOTHING_BESIDES,
    ) -> None:  # fmt: skip
        origin, self._base, self._path = allowed.checked(base_url, system, allow_http)
        self.system, self._clock, self._told = system, clock, told
        self._paces: list[Pace] = []
        self.timeout_seconds, self._tries = timeout_seconds, max(1, tries)
        self._deadlines = Deadlines()
        proxy = means.through
        self._network = Network(self._deadlines, allowed, proxy.origin if proxy else origin)
        self._cookies = CookieJar(
            None if means.keep_cookies else DefaultCookiePolicy(allowed_domains=[])
        )  # fmt: skip
        self._ca_file, self._means = ca_file, means
        self._opening = threading.Lock()
        self._opened: httpx2.Client | None = None

    @property
    def _client(self) -> httpx2.Client:
        """Made at the first request: a run has more connections than it uses."""
        with self._opening:
            if self._opened is None:
                tls = trust(self._ca_file, self._means.shown())
                self._opened = httpx2.Client(
                    transport=_Transport(tls, self._network, self._means.through), trust_env=False,
                    follow_redirects=False, cookies=self._cookies,
                )  # fmt: skip
            return self._opened

    def keep(self, pace: Pace) -> None:
        """Ask `pace` for a turn before every exchange from now on, and tell it of every 429.

        Several are asked in the order they were given.
        """
        self._paces.append(pace)

    @contextmanager
    def ending(self) -> Iterator[None]:
        """Within it nobody is asked: who may do nothing else any more may still end its session.

        For connections that one thread uses.
        """
        paces, self._paces = self._paces, []
        try:
            yield
        finally:
            self._paces = paces

    def close(self) -> None:
        """Close all connections."""
        with self._opening:
            if self._opened is not None:
                self._opened.close()

    def send(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None,
        query: str = "", json: object | None = None, body: bytes | None = None,
        repeatable: bool, once: bool = False, timeout_seconds: float | None = None,
        under: str | None = None,
    ) -> Answer:  # fmt: skip
        """Send one request; `path` starts with "/", `query` is already encoded.

        `under` is another path than that of the base URL, for this request.

        `repeatable` says that doing it twice does no harm. Lost connections, time-outs, 429 and
        502–504 are then tried again, and end in Unavailable. Otherwise only what was certainly not
        carried out (not connected, 429) is tried again; the rest is Uncertain, other 5xx included.
        Every other status is an Answer, except redirects: they are Refused, never followed.
        `once` is for what must not happen twice: whatever status came is an Answer, 429 and
        redirects too; Unavailable and Refused prove that it was not sent; the rest is Uncertain.
        """
        sent_headers = {"accept": "application/json", "accept-encoding": "gzip"}
        content = body if body is not None else b""
        if json is not None:
            content = _encoder.encode(json)
            sent_headers["content-type"] = "application/json"
        sent_headers |= {name.lower(): value for name, value in (headers or {}).items()}
        for name in SECRET_HEADERS & sent_headers.keys():
            hide(sent_headers[name].rpartition(" ")[2])
        names = "&".join(part.split("=", 1)[0] for part in query.split("&")) if query else ""
        base = self._base if under is None else self._base.removesuffix(self._path) + under
        shown = self._path if under is None else under
        request = _Sending(
            method, base + path + ("?" + query if query else ""),
            shown + path + ("?" + names if names else "") if not self._means.secret_paths else "/…",
            sent_headers, content, timeout_seconds or self.timeout_seconds,
        )  # fmt: skip
        return self._deliver(request, repeatable and not once, once)

    def _deliver(self, request: _Sending, repeatable: bool, once: bool) -> Answer:
        where = f"({request.method} {request.shown})"
        lost = _Lost("", sent=False)
        for attempt in range(1, self._tries + 1):
            for pace in self._paces:
                pace.wait()
            got = self._exchange(request, attempt)
            if isinstance(got, Answer):
                return got if once else self._judged(got, where, repeatable)
            if once and got.answer is not None:
                return got.answer
            lost = got
            if lost.sent and not repeatable:
                raise Uncertain(
                    f"{self.system} {lost.why} after the request was sent {where}: "
                    "it may have been carried out.",
                    do="Look there before it is sent again.", evidence=lost.evidence,
                )  # fmt: skip
            if lost.final:
                raise Refused(
                    f"{self.system} {lost.why} {where}.", evidence=lost.evidence, code=lost.code
                )
            if attempt < self._tries:
                self._clock.sleep(back_off(lost.wait_seconds, attempt))
        raise Unavailable(
            f"{self.system} {lost.why}, {self._tries} times {where}.",
            do="Try again later.", evidence=lost.evidence, code=lost.code,
        )  # fmt: skip

    def _judged(self, answer: Answer, where: str, repeatable: bool) -> Answer:
        if answer.status in REDIRECT_STATUSES:
            host = _host(answer.headers.get("location", ""))
            raise Refused(
                f"{self.system} answered with a redirect to {host} {where}; it was not followed.",
                do="Check the address of the connection.",
                who=f"the administrator of {self.system}", code="redirect",
            )  # fmt: skip
        if answer.status >= SERVER_ERROR_STATUS and not repeatable:
            raise Uncertain(
                f"{self.system} answered {answer.status} after the request was sent {where}: "
                "it may have been carried out.",
                do="Look there before it is sent again.", evidence=answer.excerpt(),
            )  # fmt: skip
        if answer.status > LAST_STATUS:
            raise Refused(
                f"{self.system} answered with the status {answer.status}, which HTTP does not have "
                f"{where}.", evidence=answer.excerpt(), code="unreadable",
            )  # fmt: skip
        return answer

    def _exchange(self, request: _Sending, attempt: int) -> Answer | _Lost:
        """One try, told to whoever listens."""
        began, received, status = time.monotonic(), [0], 0
        try:
            got = self._try(request, received)
            answer = got if isinstance(got, Answer) else got.answer
            status = answer.status if answer is not None else 0
            return got
        finally:
            if self._told is not None:
                milliseconds = round((time.monotonic() - began) * 1000)
                self._told(
                    Call(self.system, request.method, request.shown, status, milliseconds,
                         received[0], len(request.content), attempt)
                )  # fmt: skip

    def _try(self, request: _Sending, received: list[int]) -> Answer | _Lost:
        self._deadlines.at = time.monotonic() + request.seconds
        timeout = httpx2.Timeout(request.seconds, connect=min(CONNECT_SECONDS_MAX, request.seconds))
        try:
            with self._client.stream(
                request.method, request.url, headers=request.headers,
                content=request.content or None, timeout=timeout,
            ) as response:  # fmt: skip
                encoding = response.headers.get("content-encoding", "")
                body = whole_body(response.iter_raw(), encoding, received)
                headers = {k.lower(): v for k, v in response.headers.items()}
        except httpx2.HTTPError as error:
            return self._lost(error)
        except (httpx2.InvalidURL, UnicodeError) as error:  # such as a token with odd characters
            raise Refused(
                f"A request to {self.system} was not sent: its address or a header holds "
                "characters that HTTP does not carry.",
            ) from error
        except DamagedError:
            return _Lost("answered with a damaged gzip body", sent=True)
        except UnreadableError as error:
            return _Lost(str(error), sent=True, final=True, code="unreadable")
        answer = Answer(response.status_code, headers, body, self.system)
        if answer.status == TOO_MANY_REQUESTS or answer.status in GATEWAY_STATUSES:
            wait = retry_after(headers.get("retry-after"), self._clock.now())
            sent = answer.status != TOO_MANY_REQUESTS
            for pace in self._paces if not sent else ():
                pace.refused(wait)
            why = f"answered {answer.status}" + ("" if sent else " (too many requests)")
            code = "gateway" if sent else "too-many-requests"
            return _Lost(why, sent, wait, answer.excerpt(), answer=answer, code=code)
        return answer

    def _not_through(self, words: str) -> _Lost:
        """A proxy that fails may do so only now; one that says no goes on saying it."""
        if words[:1] == "5":
            return _Lost("was not reached through the proxy", False, evidence=words, code="proxy")
        raise not_through(self.system, words)

    def _lost(self, error: httpx2.HTTPError) -> _Lost:
        """What a transport error means; a certificate that is not trusted is never tried again."""
        if isinstance(error, httpx2.ProxyError):
            return self._not_through(str(error))
        tls = _cause(error, ssl.SSLError)
        at_connect = isinstance(error, httpx2.ConnectError)
        if tls is not None and not isinstance(tls, ssl.SSLEOFError):
            reason = str(getattr(tls, "verify_message", "") or tls.reason or "handshake failed")
            told = reason.upper().replace(" ", "_")
            if "REQUIRED" not in told and any(words in told for words in REFUSES_OURS):
                raise Refused(
                    f"{self.system} does not accept our certificate: {reason}.",
                    do="Let the server trust who signed it, or give another one with `tieout "
                    "connect`.",
                    who="the administrator of the server",
                    code="client-certificate-refused",
                ) from error
            if at_connect or "CERTIFICATE_REQUIRED" in reason:
                raise Refused(
                    f"The TLS connection to {self.system} was not made: {reason}.",
                    do="Check the certificate of the server and `ca_file`, and that the port "
                    "speaks https.",
                    who="the administrator of the server",
                    code="client-certificate" if "CERTIFICATE_REQUIRED" in reason else "lock",
                ) from error
        if at_connect or isinstance(error, httpx2.ConnectTimeout | httpx2.PoolTimeout):
            return _Lost("was not reached", False, evidence=str(error), code="not-reached")
        if isinstance(error, httpx2.TimeoutException):
            return _Lost("did not answer in time", sent=True, code="silent")
        if isinstance(error, httpx2.LocalProtocolError | httpx2.UnsupportedProtocol):
            raise Refused(f"A request to {self.system} was not valid HTTP.") from error
        return _Lost("cut the connection", sent=True, evidence=str(error))


def _host(location: str) -> str:
    """Where a redirect leads, as it may be told."""
    try:
        return plain(urlsplit(location).hostname or "another path")
    except ValueError:
        return "an address that is none"


def _cause(error: BaseException, kind: type[ssl.SSLError]) -> ssl.SSLError | None:
    seen: BaseException | None = error
    while seen is not None and not isinstance(seen, kind):
        seen = seen.__cause__ or seen.__context__
    return seen
