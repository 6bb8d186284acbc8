"""JD Edwards' encodings: dates, times, padding, literals and queries as AIS spells them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

import polars as pl

from tieout.errors import Refused
from tieout.jde.query import Condition, DaysAgo, Either, Every, Value, Where
from tieout.strict_json import plain

AMOUNT = pl.Decimal(38, 4)
JULIAN_MAX = 199_366  # 31 December 2099 is 199365; jde-gl.md rule 8 promises 1900-2099
DAY_MILLISECONDS = 86_400_000
EPOCH_MILLISECONDS_MIN = 100_000_000  # no yyyymmdd number is read as a moment by mistake

Kind = Literal["text", "code", "amount", "integer", "printed", "date"]
DTYPES: dict[str, Any] = {
    "text": pl.String, "code": pl.String, "printed": pl.String,
    "amount": AMOUNT, "integer": pl.Int64, "date": pl.Date,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a JDE table.

    Kinds: `text` loses its trailing blanks, `code` the leading ones too, `amount` is
    Decimal(38, 4), `integer` an int of `dtype`, `printed` the digits of a number as the server
    wrote them, `date`. `width` > 0 marks a code that JDE keeps right-justified in that many
    characters (jde-gl.md §2.3).
    """

    alias: str
    name: str
    kind: Kind = "text"
    dtype: Any = None
    width: int = 0

    @property
    def polars(self) -> Any:
        """The Polars type of the column."""
        return self.dtype or DTYPES[self.kind]


FISCAL_YEAR = "fiscal_year"  # four digits, made of CTRY and FY
CENTURY = Column("CTRY", "century", "integer", pl.Int32)
YEAR = Column("FY", "year", "integer", pl.Int32)


@dataclass(frozen=True, slots=True)
class Table:
    """A JDE table: its columns in the order of our frames, and the names of its primary key.

    Where CTRY and FY stand in `columns`, frames have `fiscal_year` (Int32) instead. A business
    view names the table that owns its columns (jde-ais.md §3.4); "": `name` does.
    """

    name: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    owner: str = ""
    schema: dict[str, Any] = field(init=False, repr=False, compare=False)  # of our frames, in order
    _by_name: dict[str, Column] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        index = {name: c for c in reversed(self.columns) for name in (c.alias, c.name)}
        object.__setattr__(self, "_by_name", index)
        types = {n: pl.Int32 if n == FISCAL_YEAR else index[n].polars for n in self.names}
        object.__setattr__(self, "schema", types)

    def column(self, name: str) -> Column:
        """The column by our name or by JDE's alias; ValueError if the table has none."""
        if name not in self._by_name:
            raise ValueError(f"{self.name} has no column {name!r}")
        return self._by_name[name]

    def physical(self, names: Sequence[str]) -> tuple[Column, ...]:
        """The columns to ask for, with `fiscal_year` as CTRY and FY, each once."""
        found: dict[str, Column] = {}
        for name in names:
            pair = (CENTURY, YEAR) if name == FISCAL_YEAR else (self.column(name),)
            found |= {c.alias: c for c in pair}
        return tuple(found.values())

    @property
    def names(self) -> tuple[str, ...]:
        """The columns of our frames, in order."""
        return tuple(FISCAL_YEAR if c is CENTURY else c.name for c in self.columns if c is not YEAR)

    def control(self, column: Column) -> str:
        """What AIS calls the column in a request, as in `F0911.AA`."""
        return f"{self.owner or self.name}.{column.alias}"

    @property
    def target_type(self) -> str:
        """What AIS calls it: views begin with V."""
        return "view" if self.name.startswith("V") else "table"


# --- dates and times ----------------------------------------------------------------------------


def from_julian(value: int) -> date | None:
    """CYYDDD → date; 0 is no date. Total over 1900–2099; ValueError for an impossible day."""
    if value == 0:
        return None
    year, day = 1900 + value // 1000, value % 1000
    if not 1 <= value <= JULIAN_MAX or day == 0:
        raise ValueError(f"{value} is not a Julian date")
    found = date(year, 1, 1) + timedelta(days=day - 1)
    if found.year != year:
        raise ValueError(f"{value} is not a Julian date: {year} has no day {day}")
    return found


def to_julian(value: date | None) -> int:
    """Date → CYYDDD, None → 0; ValueError outside 1900–2099."""
    if value is None:
        return 0
    if not 1900 <= value.year <= 2099:
        raise ValueError(f"{value} has no Julian form")
    return (value.year - 1900) * 1000 + value.timetuple().tm_yday


def from_grid_date(text: str) -> date:
    """`yyyyMMdd` as GRID_DATA prints dates; ValueError for anything else."""
    if not re.fullmatch(r"[0-9]{8}", text):
        raise ValueError(f"{text!r} is not a date of the form yyyyMMdd")
    return date(int(text[:4]), int(text[4:6]), int(text[6:]))


def from_epoch_milliseconds(value: int) -> date:
    """The day whose midnight, in the server's zone, is nearest to this moment (jde-ais.md §3.3)."""
    days = (value + DAY_MILLISECONDS // 2) // DAY_MILLISECONDS
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=days)).date()


# --- literals -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Dialect:
    """How this session's user writes dates and decimals (`userInfo` of the sign-in)."""

    date_pattern: str = "MM/dd/yyyy"
    decimal_mark: str = "."

    def date(self, value: date) -> str:
        """A date literal."""
        text = self.date_pattern
        parts = (
            ("yyyy", f"{value:%Y}"),
            ("yy", f"{value:%y}"),
            ("MM", f"{value:%m}"),
            ("dd", f"{value:%d}"),
        )
        for mark, digits in parts:
            text = text.replace(mark, digits)
        return text

    def number(self, value: int | Decimal) -> str:
        """A number literal, without trailing zeros."""
        text = f"{Decimal(value):f}"
        if "." in text:
            text = text.rstrip("0").rstrip(".")
        return text.replace(".", self.decimal_mark)


def dialect_of(user: dict[str, Any]) -> Dialect:
    """The dialect of a signed-in user; Refused when its date format cannot be told."""
    pattern = str(user.get("simpleDateFormat") or "").strip()
    if not pattern:  # older releases: a three-letter order and a separator
        letters = {"M": "MM", "D": "dd", "E": "yyyy", "Y": "yy"}
        order = str(user.get("dateFormat") or "").strip()
        if re.fullmatch(r"[MDEY]{3}", order):
            pattern = str(user.get("dateSeperator") or "/").join(letters[c] for c in order)
    marks = re.findall(r"y+|M+|d+|[A-Za-z]", pattern)
    if sorted(marks) not in (["MM", "dd", "yyyy"], ["MM", "dd", "yy"]):
        raise Refused(
            f"JD Edwards says that its user writes dates as {plain(pattern)!r}, which is not "
            "understood.",
            untouched="Nothing was read.",
            do="Give the user a date format of day, month and year in its user profile.",
            who="the JDE administrator (CNC)",
        )
    return Dialect(pattern, str(user.get("decimalFormat") or ".").strip() or ".")


def literal(column: Column, value: Value, dialect: Dialect) -> str:
    """`value` as AIS expects it for `column`: padded codes, the user's dates, plain numbers."""
    if isinstance(value, datetime):
        raise TypeError(f"{column.name} wants a date, not a moment")
    if isinstance(value, date):
        return dialect.date(value)
    if isinstance(value, int | Decimal):
        return dialect.number(value)
    if column.kind == "printed":
        return dialect.number(Decimal(value))
    return value.rjust(column.width) if column.width else value


# --- queries ------------------------------------------------------------------------------------


def query(table: Table, where: Where | None, dialect: Dialect) -> dict[str, Any]:
    """The AIS `query` object (jde-ais.md §3.2); no condition means every row."""
    return {
        "autoFind": True,
        **(_group(table, where, dialect) if where is not None else {"condition": []}),
    }


def _group(table: Table, where: Where, dialect: Dialect) -> dict[str, Any]:
    where = _spelled(where)
    if isinstance(where, Condition):
        return {"matchType": "MATCH_ALL", "condition": [_condition(table, where, dialect)]}
    match, joiner = ("MATCH_ALL", "AND") if isinstance(where, Every) else ("MATCH_ANY", "OR")
    parts = _flat(where)
    simple = [p for p in parts if isinstance(p, Condition)]
    nested = [_group(table, p, dialect) for p in parts if not isinstance(p, Condition)]
    group: dict[str, Any] = {
        "matchType": match, "condition": [_condition(table, c, dialect) for c in simple],
    }  # fmt: skip
    if not simple:  # an empty condition list could be read as "always": never leave one behind
        plain = next((i for i, g in enumerate(nested) if "complexQuery" not in g), None)
        if plain is None:
            raise ValueError("a query whose every part is nested cannot be told to AIS safely")
        group = nested.pop(plain)
    if nested:
        group["complexQuery"] = [{"query": g, "andOr": joiner} for g in nested]
    return group


def _flat(where: Every | Either) -> list[Where]:
    """The parts of `where`, those of the same kind inside it opened."""
    flat: list[Where] = []
    for part in where.parts:
        spelled = _spelled(part)
        if not isinstance(spelled, Condition) and type(spelled) is type(where):
            flat.extend(_flat(spelled))
        else:
            flat.append(spelled)
    return flat


def _spelled(where: Where) -> Where:
    """`fiscal_year` conditions in terms of CTRY and FY; one-part groups opened."""
    if isinstance(where, Every | Either):
        return _spelled(where.parts[0]) if len(where.parts) == 1 else where
    if where.column != FISCAL_YEAR:
        return where
    years = [int(v) for v in where.values if isinstance(v, int | str | Decimal)]
    centuries = {y // 100 for y in years}
    if len(centuries) != 1 or where.operator not in ("EQUAL", "LIST", "BETWEEN"):
        raise ValueError(f"fiscal years {years} with {where.operator} cannot be asked for at once")
    return Every((
        Condition("CTRY", "EQUAL", (centuries.pop(),)),
        Condition("FY", where.operator, tuple(y % 100 for y in years)),
    ))  # fmt: skip


def _condition(table: Table, condition: Condition, dialect: Dialect) -> dict[str, Any]:
    pair = {c.alias: c for c in (CENTURY, YEAR)}
    column = pair.get(condition.column) or table.column(condition.column)
    values = [
        {"content": str(v.days), "specialValueId": "TODAY_MINUS_DAY"}
        if isinstance(v, DaysAgo)
        else {"content": literal(column, v, dialect), "specialValueId": "LITERAL"}
        for v in condition.values
    ]
    return {"controlId": table.control(column), "operator": condition.operator, "value": values}


def after(key: Sequence[tuple[str, Value]]) -> Where:
    """Rows whose primary key comes after `key`, in the order of the database."""
    terms: list[Where] = []
    for place, (name, value) in enumerate(key):
        same = [_same(n, v) for n, v in key[:place]]
        rest = (
            Condition(name, "STR_NOT_BLANK")
            if value == ""
            else Condition(name, "GREATER", (value,))
        )
        terms.append(Every((*same, rest)) if same else rest)
    return Either(tuple(terms)) if len(terms) > 1 else terms[0]


def _same(name: str, value: Value) -> Condition:
    return Condition(name, "STR_BLANK") if value == "" else Condition(name, "EQUAL", (value,))


# --- text rules ---------------------------------------------------------------------------------


def distinct_keys(table: Table, frame: pl.DataFrame) -> None:
    """Refused if two rows of `frame` share the primary key.

    The database holds no key twice, so in a proved read this means that trimming made two keys
    equal (jde-gl.md §2.3, rule 7): a bad load left one code aligned to the other side.
    """
    names = list(table.key)
    if not frame[names].is_duplicated().any():
        return
    twice = frame.filter(pl.struct(names).is_duplicated()).select(names).unique().sort(names)
    shown = ", ".join("/".join(str(v) for v in row) for row in twice.rows()[:4])
    raise Refused(
        f"{table.name} holds keys that differ only in blanks: {plain(shown)}.",
        untouched="Nothing was sent to Anaplan.",
        do="Correct the row that was loaded with the wrong alignment in JD Edwards.",
        who="the JDE administrator (CNC)",
    )
