"""Blots out secrets: those this process knows, in every spelling, and what looks like one.

Every record of every logger goes through here before a file, a terminal or a library gets it.
"""

from __future__ import annotations

import base64
import json
import logging
import re
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

BLOT = "…"
KNOWN_SECRETS_MAX = 64  # tokens are replaced within the hour, the oldest are forgotten first
SECRET_CHARACTERS_MIN = 4  # what is shorter stands in every text
SEGMENT_CHARACTERS_MAX = 30  # of a path; longer runs between slashes are no names

_NAME = (  # of what must not be seen
    r"(?<![\w$-])[\w$-]*(?:token|passw|passphrase|secret|authori[sz]ation|credential|session_?id"
    r"|private_?key|api_?key)[\w-]*|(?<![a-z0-9])(?:auth|pass|pwd)\b"
)
_QUOTE_AND_SIGN = r"\\*[\"']?\s*[:=]\s*"
_SCHEME = r"\b(?:AnaplanAuthToken|Bearer|Basic|CACertificate|Negotiate|Digest)\s+"
_SECRET = re.compile(
    # A line of cookies holds many, and lists and objects are not looked into: all to the end.
    rf"(?P<all>(?:cookie2?{_QUOTE_AND_SIGN}|(?:{_NAME}){_QUOTE_AND_SIGN}[\[{{])).*"
    # `"token":"…"`, also as JSON within JSON, where each quotation mark has backslashes before it.
    rf"|(?P<name>(?:{_NAME}){_QUOTE_AND_SIGN})"
    rf"(?:(?P<mark>\\*[\"']).*?(?:(?<!\\)(?P=mark)|$)|(?:{_SCHEME})?[^\s,;&}}<\"\\]+)"
    rf"|(?P<tag><(?:\w+:)?(?:{_NAME}))\b[^<]*"
    rf"|(?P<scheme>{_SCHEME})[^\s,;&}}<\"\\]+"
    r"|(?P<word>\btoken\s+['\"]?)(?=\S*\d)[\w+/=.-]{16,}",
    re.IGNORECASE,
)
_LEFT = ("all", "name", "tag", "scheme", "word")  # the part of a secret that stays readable
_LONG = re.compile(r"(?<![\w+/=-])[\w+/=-]{44,}")
# A header as libraries log it: a pair of texts or bytes.
_PAIR = re.compile(
    rf"(?P<pair>b?(?P<mark>['\"])(?:{_NAME}|(?:set-)?cookie2?)(?P=mark),\s*)"
    r"b?(?P<quote>['\"]).*?(?:(?<!\\)(?P=quote)|$)",
    re.IGNORECASE,
)
_known: dict[str, list[str]] = {}  # secret → its spellings, longest first; oldest secret first
_changing = threading.Lock()


def hide(*secrets: str) -> None:
    """From now on these are blotted out wherever this process writes words."""
    with _changing:
        for secret in secrets:
            if len(secret) < SECRET_CHARACTERS_MIN:
                continue
            spelled = _known.pop(secret, None)
            _known[secret] = spelled or sorted(set(spellings(secret)), key=len, reverse=True)
        for oldest in list(_known)[:-KNOWN_SECRETS_MAX]:
            del _known[oldest]


def spellings(secret: str) -> Iterator[str]:
    """The secret as it is, in a URL, in JSON, in hexadecimal digits and within base64."""
    data = secret.encode("utf-8", "surrogatepass")
    yield secret
    yield quote(data, safe="")
    yield json.dumps(secret)[1:-1]
    yield data.hex()
    for start in range(3):  # wherever it begins in what was encoded, these characters are its own
        inner = base64.b64encode(b"\0" * start + data)[4 if start else 0 : -4].decode()
        yield inner.rstrip("=")
        yield inner.rstrip("=").translate(str.maketrans("+/", "-_"))


def redacted(text: str) -> str:
    """A text of any length without secrets; paths, and lines, stay as they are."""
    told = _PAIR.sub(lambda m: m["pair"] + BLOT, _without_known(text))
    return _LONG.sub(_opaque_but_no_path, _SECRET.sub(_left, told))


def blotted(line: str) -> str:
    """A line of a peer's words without secrets, and without what is long and opaque."""
    return _LONG.sub(_opaque, _SECRET.sub(_left, _without_known(line)))


def _without_known(text: str) -> str:
    for spelled in list(_known.values()):
        for spelling in spelled:
            if len(spelling) >= SECRET_CHARACTERS_MIN and spelling in text:
                text = text.replace(spelling, BLOT)
    return text


def _left(found: re.Match[str]) -> str:
    return next(filter(None, found.group(*_LEFT)), "") + BLOT


def _opaque(found: re.Match[str]) -> str:
    """Capitals, small letters and digits in so long a run are no word and no id: a token."""
    run = found[0]
    mixed = run.upper() != run != run.lower() and any(c.isdigit() for c in run)
    return BLOT if mixed else run


def _opaque_but_no_path(found: re.Match[str]) -> str:
    segments = found[0].split("/")
    path = len(segments) > 2 and max(map(len, segments)) <= SEGMENT_CHARACTERS_MAX
    return found[0] if path else _opaque(found)


class Redacted(logging.LogRecord):
    """A record of a log that never held a secret, whoever writes it down and how."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        try:
            self.msg, self.args = redacted(self.getMessage()), None
        except (TypeError, ValueError):  # a library's slip, told by whoever writes it down
            self.msg, self.args = redacted(f"{self.msg} {self.args}"), None
        if self.exc_info:
            told = logging.Formatter().formatException(self.exc_info)
            self.exc_text = redacted(told)
        if self.stack_info:
            self.stack_info = redacted(self.stack_info)


def guard_logs() -> None:
    """Let every logger of this process make such records."""
    logging.setLogRecordFactory(Redacted)
