"""The files a browser needs, read once, served with a hash in their address, compressed when asked.

Pages themselves are never compressed: they hold a token beside words of other people, and the
length of what is compressed would tell one about the other.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

STATIC = Path(__file__).parent / "static"
KINDS = {
    ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}  # fmt: skip
HASH_DIGITS = 12  # of the address: a file that changed is another address
FOR_A_YEAR = "public, max-age=31536000, immutable"
_SOURCE_MAP = re.compile(rb"/\*# sourceMappingURL=.*?\*/|//# sourceMappingURL=\S*")
_DATA = re.compile(rb'url\("data:[^"]*"\)')  # pictures that our policy forbids
_OUTER = re.compile(r"<svg.*?>|</svg>|<path stroke=\"none\"[^>]*/>|<!--.*?-->", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Asset:
    """One file as it is served."""

    content: bytes
    compressed: bytes
    kind: str
    digest: str


@cache
def assets() -> Mapping[str, Asset]:
    """Every file under `static` that a browser may ask for, by its path there."""
    found = {}
    for path in sorted(STATIC.rglob("*")):
        if path.suffix in KINDS:
            content = _SOURCE_MAP.sub(b"", path.read_bytes())  # there is none to be fetched
            if path.suffix == ".css":
                # Our own style names others; a browser may ask for these before that is there.
                content = _DATA.sub(b"none", content)
            found[path.relative_to(STATIC).as_posix()] = Asset(
                content, gzip.compress(content, 9, mtime=0), KINDS[path.suffix],
                hashlib.sha256(content).hexdigest(),
            )  # fmt: skip
    return found


def address(name: str) -> str:
    """Where a page links a file; KeyError when there is none of this name."""
    return f"/static/{name}?v={assets()[name].digest[:HASH_DIGITS]}"


@cache
def drawing(name: str) -> str:
    """What is inside of an icon, to be drawn in a page."""
    return _OUTER.sub("", assets()[f"icons/{name}.svg"].content.decode()).strip()


async def serve_asset(request: Request) -> Response:
    """One file; for a year when its address holds the right hash."""
    found = assets().get(request.path_params["name"])
    if found is None:
        raise HTTPException(404)
    headers = {"Vary": "Accept-Encoding", "Cache-Control": "no-cache", "ETag": f'"{found.digest}"'}
    if request.query_params.get("v") == found.digest[:HASH_DIGITS]:
        headers["Cache-Control"] = FOR_A_YEAR
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        headers["Content-Encoding"] = "gzip"
        return Response(found.compressed, headers=headers, media_type=found.kind)
    return Response(found.content, headers=headers, media_type=found.kind)
