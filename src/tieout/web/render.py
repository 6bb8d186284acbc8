"""Templates of pages and what they may call; what a page is given is text, never markup."""

from __future__ import annotations

import secrets
from datetime import UTC
from importlib.metadata import version
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from tieout.core.findings import counted
from tieout.verbs import words
from tieout.web import assets, words_of_pages
from tieout.web.cells import cells, icon
from tieout.web.navigation import SECTIONS

TEMPLATES = Path(__file__).parent / "templates"
VERSION = version("tieout")
ONCE_BYTES = 9  # of the number by which a form that is sent twice is known


def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined,
        autoescape=select_autoescape(default=True, default_for_string=True),
        trim_blocks=True, lstrip_blocks=True, auto_reload=False,
    )  # fmt: skip
    made.filters |= {
        "amount": words.amount, "money": words.money, "moment": words.moment,
        "lasted": words.lasted, "day": words_of_pages.day, "count": words_of_pages.count,
        "size": words_of_pages.size, "title": words_of_pages.title, "age": words.age,
        "moneys": words_of_pages.moneys, "at": words_of_pages.at, "said": words_of_pages.said,
    }  # fmt: skip
    made.globals |= {
        "outcomes": words.OUTCOMES, "counted": counted, "asset": assets.address, "icon": icon,
        "cells": cells,
        "sections": SECTIONS, "version": VERSION, "states": words_of_pages.STATES,
        "utc": UTC, "once": lambda: secrets.token_urlsafe(ONCE_BYTES),
    }  # fmt: skip
    return made


ENVIRONMENT = _environment()


def rendered(template: str, values: dict[str, object]) -> str:
    """A page from one of our templates."""
    return ENVIRONMENT.get_template(template).render(values)
