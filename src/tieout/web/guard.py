"""What holds for every request and answer: known names, bounded bodies, nothing foreign is run."""

from __future__ import annotations

from ipaddress import ip_address

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tieout.store.tries import household
from tieout.web.rates import Rates
from tieout.web.view import LOOPBACK, Site

BODY_BYTES_MAX = 20_000_000  # an Excel workbook of mappings
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # else a browser would not say where a form comes from
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Accept-CH": "Sec-CH-Prefers-Color-Scheme",  # light or dark before the first paint
    "Critical-CH": "Sec-CH-Prefers-Color-Scheme",
}
STRICT = "max-age=31536000"  # a year
USUAL = {"Cache-Control": "no-store", "Vary": "Sec-CH-Prefers-Color-Scheme"}


class Guard:
    """Answers foreign host names and too large bodies itself; adds the headers to every answer."""

    def __init__(self, app: ASGIApp, site: Site) -> None:
        """A page of another site must not read ours through a name that it points here.

        What is reached over TLS shall never be tried without.
        """
        self._app, self._site = app, site
        self._rates = Rates(site.clock)
        self._headers = HEADERS | ({"Strict-Transport-Security": STRICT} if site.secure else {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers[name] = value
                for name, value in USUAL.items():
                    headers.setdefault(name, value)
            await send(message)

        body_bytes = 0

        async def receive_bounded() -> Message:
            nonlocal body_bytes
            message = await receive()
            body_bytes += len(message.get("body", b""))
            return {"type": "http.disconnect"} if body_bytes > BODY_BYTES_MAX else message

        await self._chosen(scope)(scope, receive_bounded, send_guarded)

    def _chosen(self, scope: Scope) -> ASGIApp:
        headers = Headers(scope=scope)
        if self._site.proxies and (refused := _passed_on(scope, headers, self._site.proxies)):
            return PlainTextResponse(refused, 421)
        if _name(headers.get("host", "")) not in self._site.names:
            return PlainTextResponse("Not the name of this server.\n", 421)
        address = str((scope.get("client") or ("",))[0])
        if address not in LOOPBACK and (seconds := self._rates.wait(household(address))):
            words = f"Too many requests from here: wait {seconds} s.\n"
            return PlainTextResponse(words, 429, {"Retry-After": str(seconds)})
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > BODY_BYTES_MAX:
            return PlainTextResponse("That is more than is taken here.\n", 413)
        return self._app


def _name(host: str) -> str:
    """The name in a header `Host`, without its port; an address of IPv6 stands in brackets."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()


def _passed_on(scope: Scope, headers: Headers, proxies: frozenset[str]) -> str:
    """Why a request did not come over TLS by a proxy of ours; else who asked it is known.

    The last address is the one that our proxy saw; what stands before it anybody can claim. Some
    proxies write it into a line of its own, behind one that came with the request.
    """
    if str((scope.get("client") or ("",))[0]) not in proxies:
        return "Ask the proxy of this server.\n"
    if _last(headers, "x-forwarded-proto") != "https":
        return "The proxy of this server passes on only what came over TLS.\n"
    scope["client"] = (address_of(_last(headers, "x-forwarded-for")), 0)
    return ""


def _last(headers: Headers, name: str) -> str:
    """The last of the values of a header that may stand in several lines."""
    return ",".join(headers.getlist(name)).rpartition(",")[2].strip()


def address_of(told: str) -> str:
    """An address as a proxy tells it, without the port that some add; empty when it is none."""
    host = told
    if told.startswith("["):
        host = told[1:].partition("]")[0]
    elif told.count(":") == 1:
        host = told.partition(":")[0]
    try:
        return str(ip_address(host))
    except ValueError:
        return ""
