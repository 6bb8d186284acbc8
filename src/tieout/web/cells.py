"""The cells of a list as markup: made here and not in a template, for a page has thousands."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from markupsafe import Markup, escape

from tieout.core.listing import Column, Row
from tieout.verbs import words
from tieout.web import assets, words_of_pages

_HEAD = '<th scope="row">'
_ICON = (
    '<svg class="icon" viewBox="0 0 24 24" width="20" height="20" fill="none" '
    'stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round" {}>{}'
    "</svg>"
)


@cache
def icon(name: str, told: str = "") -> Markup:
    """An icon drawn into the page, hidden from screen readers unless it is `told` in words."""
    role = Markup('role="img" aria-label="{}"').format(told) if told else 'aria-hidden="true"'
    return Markup(_ICON.format(role, assets.drawing(name)))  # noqa: S704 - a drawing of ours


def cells(heads: Sequence[Column], row: Row) -> Markup:
    """A row: its first cell heads it, numbers stand at their end."""
    told = []
    for place, column in enumerate(heads):
        inside = _inside(column, row)
        if column.link and row.get(column.link):
            inside = f'<a href="{escape(row[column.link])}">{inside}</a>'
        kind = "number" if column.is_number else column.kind
        told.append(f'<td class="{kind}">{inside}</td>' if place else f"{_HEAD}{inside}</th>")
    return Markup("".join(told))  # noqa: S704 - every value in it was escaped


def _inside(column: Column, row: Row) -> str:
    """What stands in a cell, escaped."""
    value = row[column.name]
    if column.kind == "status":
        state, drawn, tone = words_of_pages.STATES.get(
            str(value), (words_of_pages.title(str(value)), "clock", "quiet")
        )
        return f'<span class="state {tone}">{icon(drawn)} {escape(state)}</span>'
    if column.kind == "amount":
        return escape(words.amount(value, str(row.get("currency") or "")))
    if column.kind == "count":
        return escape(words_of_pages.count(value))
    if column.kind == "moment":
        return escape(words.moment(value))  # type: ignore[arg-type]  # the column says so
    if column.kind == "age":
        seconds = row["age_seconds"]  # the column itself is the moment since when
        return escape("" if seconds is None else words.age(int(str(seconds))))
    if column.kind == "lasted":
        return escape(words.lasted(value))
    if column.kind == "choice":
        return escape(dict(column.choices).get(str(value), value))
    return escape("" if value is None else value)
