"""What a browser is given: files of others as they were published, all of it small."""

from __future__ import annotations

import gzip
import hashlib
import re
import tomllib
from pathlib import Path

import pytest

from tieout.web import assets

ROOT = Path(__file__).parents[2]
STATIC = ROOT / "src" / "tieout" / "web" / "static"
PLACES = (STATIC, ROOT / "tests" / "browser" / "vendor")
LICENCES = {"MIT", "0BSD"}  # of what is served
OURS = {
    "vendored.toml", "tieout.css", "icon.svg", "arrow-light.svg", "arrow-dark.svg", "tick.svg",
    "dot.svg",
}  # fmt: skip
FIRST_PAINT_BYTES_MAX = 120_000
FIRST_PAINT = ("vendor/bootstrap.min.css", "tieout.css", "icon.svg")
LIVE = ("vendor/htmx.min.js", "vendor/hx-sse.min.js")


def vendored(place: Path) -> list[dict[str, object]]:
    """The packages that a manifest lists."""
    packages: list[dict[str, object]] = tomllib.loads((place / "vendored.toml").read_text())[
        "package"
    ]
    return packages


@pytest.mark.parametrize("place", PLACES, ids=["served", "for tests"])
def test_every_file_of_others_is_the_one_that_was_published(place: Path) -> None:
    listed: set[str] = set()
    for package in vendored(place):
        assert re.fullmatch(r"\d+\.\d+\.\d+", str(package["version"]))
        files = package["files"]
        assert isinstance(files, dict)
        for name, digest in files.items():
            found = hashlib.sha256((place / name).read_bytes()).hexdigest()
            assert found == digest, f"{name} is not as {package['name']} published it"
        listed |= set(files)
    there = {p.relative_to(place).as_posix() for p in place.rglob("*") if p.is_file()}
    assert there - OURS == listed


def test_what_is_served_has_a_licence_that_asks_nothing_of_those_who_serve_it() -> None:
    assert {str(p["licence"]) for p in vendored(STATIC)} == LICENCES
    for package in vendored(STATIC):
        files = package["files"]
        assert isinstance(files, dict)
        assert any(name.endswith("LICENSE") for name in files)


def test_the_first_paint_needs_less_than_120_kb_with_the_live_parts_as_well() -> None:
    served = assets.assets()
    sent = sum(len(served[name].compressed) for name in (*FIRST_PAINT, *LIVE))
    page = 40_000  # a long page of ours, which is never compressed
    assert sent + page < FIRST_PAINT_BYTES_MAX


def test_a_compressed_file_opens_to_the_same_bytes_and_its_address_changes_with_them() -> None:
    for name, asset in assets.assets().items():
        assert gzip.decompress(asset.compressed) == asset.content
        assert assets.address(name).endswith(hashlib.sha256(asset.content).hexdigest()[:12])
        assert b"sourceMappingURL" not in asset.content, name
        assert b"data:" not in asset.content or not name.endswith(".css"), name


def test_no_page_asks_for_a_style_or_a_program_that_stands_in_the_page_itself() -> None:
    templates = (STATIC.parent / "templates").rglob("*.html")
    for path in templates:
        text = path.read_text()
        assert not re.search(r"\sstyle=|<style|\son\w+=|hx-on|javascript:", text), path.name
        assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", text)), path.name
