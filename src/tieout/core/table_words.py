"""What the words mean by which a flow declares the columns of a table and of its import."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Literal

ALIAS = r"^[A-Z0-9#@$]{1,10}$"
_KINDS = r"text|code( [0-9]{1,2})?|date|whole|number( [0-4])?"
_AMOUNT = r"amount( of (ledger|company|[A-Z0-9#@$]{1,10}))?( stored)?"
TYPE = rf"^({_KINDS}|{_AMOUNT})$"
FISCAL_YEAR = "fiscal_year"  # four digits, made of the fields CTRY and FY
_PART = re.compile(r"([A-Za-z0-9#@$_]+)")
_SHOWN_AS = " as "  # between a date and how it is written: DDJ as %b %y
LEDGER, COMPANY = "ledger", "company"  # what a currency follows, besides a field with its code
LEDGER_FIELDS = ("LT", "CO")  # by which the currency of a ledger is told (jde-gl.md §2.6)

Kind = Literal["text", "code", "date", "whole", "number", "amount"]
Given = str | int
Meant = str | int | Decimal | date


@dataclass(frozen=True, slots=True)
class Field:
    """One column of the table as it is declared.

    `width` > 0: JD Edwards keeps it right-justified in so many characters. `decimals`: the most
    that a number may have. `currency`: "", LEDGER, COMPANY or the field that holds its code.
    `stored`: amounts come as the database keeps them, integers scaled by their currency.
    """

    kind: Kind
    width: int = 0
    decimals: int = 4
    currency: str = ""
    stored: bool = False

    @property
    def counts(self) -> bool:
        """Whether its values can be added up."""
        return self.kind in ("number", "amount")


def field_of(words: str) -> Field:
    """`code 12`, `number 2`, `amount of CRCD stored`, … as a Field; see TYPE."""
    kind, *rest = words.split()
    if kind == "code":
        return Field("code", width=int(rest[0]) if rest else 0)
    if kind == "number":
        return Field("number", decimals=int(rest[0]) if rest else 4)
    if kind == "amount":
        of = rest[1] if rest[:1] == ["of"] else ""
        return Field("amount", currency=of, stored=rest[-1:] == ["stored"])
    return Field(kind)  # type: ignore[arg-type]  # TYPE lets no other word pass


def fields_of(declared: Mapping[str, str]) -> dict[str, Field]:
    """All declared fields by alias, and the fiscal year where CTRY and FY are."""
    found = {alias: field_of(words) for alias, words in declared.items()}
    return found | ({FISCAL_YEAR: Field("whole")} if {"CTRY", "FY"} <= found.keys() else {})


@dataclass(frozen=True, slots=True)
class Source:
    """What a column of the import's file holds: fields, with what stands between them.

    `between[n]` stands before `names[n + 1]`, and is left out with a blank one. `shown_as` is how
    a date is written, "" for 2025-12-31.
    """

    names: tuple[str, ...]
    between: tuple[str, ...] = ()
    shown_as: str = ""


def source_of(text: str) -> Source:
    """`AAP`, `OBJ.SUB`, `KCO-DCT-DOC`, `DDJ as %b %y` as a Source; ValueError for other texts."""
    whole, _, shown_as = text.partition(_SHOWN_AS)
    pieces = _PART.split(whole.strip())
    if len(pieces) < 3 or pieces[0] or pieces[-1]:
        raise ValueError(f"{text!r} names no field")
    return Source(tuple(pieces[1::2]), tuple(pieces[2:-1:2]), shown_as.strip())


def meant(field: Field, given: Given) -> Meant:
    """A value of a condition as the field has it; ValueError when it cannot be one."""
    try:
        if field.kind == "date":
            return date.fromisoformat(str(given))
        if field.kind == "whole":
            return int(given)
        if field.counts:
            return Decimal(given)
    except (ValueError, InvalidOperation):
        words = {"date": "a date such as 2025-12-31", "whole": "a whole number"}
        raise ValueError(f"{given!r} is not {words.get(field.kind, 'a number')}") from None
    if not isinstance(given, str):
        raise ValueError(f"{given!r} is a number; write it in quotes, as JD Edwards keeps it")
    return given


def problems(fields: Mapping[str, Field], columns: Mapping[str, str]) -> list[str]:
    """What in the declaration of fields and columns cannot be meant, each in words."""
    found = []
    for alias, field in fields.items():
        needed = {LEDGER: LEDGER_FIELDS, COMPANY: ("CO",), "": ()}.get(
            field.currency, (field.currency,)
        )
        found += [
            f"fields.{alias} is an amount of {field.currency}, which needs the field {name}"
            for name in needed if name not in fields
        ]  # fmt: skip
        if field.stored and not field.currency:
            found.append(f"fields.{alias} is stored, so it needs a currency: amount of CRCD stored")
    for header, text in columns.items():
        try:
            source = source_of(text)
        except ValueError as error:
            found.append(f"columns.{header}: {error}")
            continue
        found += _source_problems(header, source, fields)
    return found


def _source_problems(header: str, source: Source, fields: Mapping[str, Field]) -> list[str]:
    unknown = [name for name in source.names if name not in fields]
    if unknown:
        return [f"columns.{header} names {name}, which is no field" for name in unknown]
    if source.shown_as and (len(source.names) > 1 or fields[source.names[0]].kind != "date"):
        return [f"columns.{header}: only a date can be shown as {source.shown_as!r}"]
    return []


def numbers(
    columns: Mapping[str, str], identify: Collection[str], fields: Mapping[str, Field]
) -> list[str]:
    """The headers whose values are added up, in the order of the columns."""
    return [
        header for header, text in columns.items()
        if header not in identify and fields[source_of(text).names[0]].counts
    ]  # fmt: skip
