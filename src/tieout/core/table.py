"""Rows of any table folded into what Anaplan holds: cells of a module, or items of a list."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import polars as pl

from tieout.core.findings import Finding, Severity, counted
from tieout.core.frames import AMOUNT, ZERO, Schema
from tieout.core.mapping import resolved
from tieout.core.members import CODE_CHARACTERS_MAX
from tieout.core.table_words import COMPANY, LEDGER, Field, Source, fields_of, numbers, source_of
from tieout.errors import Refused

FOREIGN_LEDGER = "CA"  # its amounts are in the currency of the row (jde-gl.md §2.6)
DICTIONARY_DECIMALS = 2  # of an amount whose currency nobody knows
DECIMALS_MAX = 4
SUBJECTS_SHOWN_MAX = 3
BETWEEN_MEMBERS = " × "
HELD, CURRENCY, ROWS = "held", "currency", "rows"  # columns of a cell beside its own
DECIMALS, CURRENCIES, CONFLICT, TOO_LONG = (
    "decimals", "table-currencies", "table-conflict", "code-too-long",
)  # fmt: skip
NO_MEMBER = "table-no-member"
ROW = "\nrow"  # the row of the table as it was read; no header is called so


@dataclass(frozen=True, slots=True)
class Money:
    """Company → its currency, ledger → the currency it is denominated in, currency → decimals."""

    companies: Mapping[str, str] = field(default_factory=dict)
    ledgers: Mapping[str, str] = field(default_factory=dict)
    decimals: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Shape:
    """What one row of the import's file is: by header, what names it and what it says."""

    identify: tuple[str, ...]
    numbers: tuple[str, ...]
    texts: tuple[str, ...]
    sources: Mapping[str, Source]
    fields: Mapping[str, Field]

    @property
    def schema(self) -> Schema:
        """Of what Anaplan shows: identify, numbers, texts."""
        return {
            name: AMOUNT if name in self.numbers else pl.String
            for name in (*self.identify, *self.numbers, *self.texts)
        }


def shape_of(
    declared: Mapping[str, str], columns: Mapping[str, str], identify: Sequence[str]
) -> Shape:
    """The shape of a flow's rows; see `table_words.problems` for what it must not be."""
    fields = fields_of(declared)
    added = numbers(columns, identify, fields)
    texts = [h for h in columns if h not in identify and h not in added]
    sources = {header: source_of(text) for header, text in columns.items()}
    return Shape(tuple(identify), tuple(added), tuple(texts), sources, fields)


# ------------------------------------------------------------------ one value


def shown(source: Source, fields: Mapping[str, Field]) -> pl.Expr:
    """What a source says as text; a separator before or after a blank part is left out."""
    first, *rest = (_text(name, fields[name], source.shown_as) for name in source.names)
    told = first
    for between, part in zip(source.between, rest, strict=True):
        joined = pl.concat_str(told, pl.lit(between), part)
        told = pl.when(part == "").then(told).when(told == "").then(part).otherwise(joined)
    return told


def _text(name: str, field: Field, shown_as: str) -> pl.Expr:
    value = pl.col(name)
    if field.kind == "date":
        return value.dt.to_string(shown_as or "%Y-%m-%d").fill_null("")
    if field.counts:
        return value.cast(pl.String).str.strip_chars_end("0").str.strip_chars_end(".")
    return value.cast(pl.String).fill_null("")


def currency_of(field: Field, fields: Mapping[str, Field], money: Money) -> pl.Expr:
    """The currency that governs an amount, by the rules of jde-gl.md §2.6; "" where none does."""
    company = pl.lit("")
    if "CO" in fields:
        company = pl.col("CO").replace_strict(
            dict(money.companies), default="", return_dtype=pl.String
        )
    if field.currency == COMPANY:
        return company
    if field.currency not in ("", LEDGER):
        code = pl.col(field.currency)
        return pl.when(code == "").then(company).otherwise(code)
    if not field.currency:
        return pl.lit("")
    own = pl.col("LT").replace_strict(dict(money.ledgers), default="", return_dtype=pl.String)
    foreign = pl.col("CRCD") if "CRCD" in fields else company
    found = (
        pl.when(own != "").then(own).when(pl.col("LT") == FOREIGN_LEDGER).then(foreign)
        .otherwise(company)
    )  # fmt: skip
    if "CRCX" in fields:
        found = pl.when(pl.col("CRCX") != "").then(pl.col("CRCX")).otherwise(found)
    return found


def _decimals(currency: pl.Expr, field: Field, money: Money) -> pl.Expr:
    """How many decimals a value may have."""
    if field.kind == "number":
        return pl.lit(field.decimals)
    if not field.currency:
        return pl.lit(DECIMALS_MAX)
    return currency.replace_strict(
        dict(money.decimals), default=DICTIONARY_DECIMALS, return_dtype=pl.Int64
    )


def _value(name: str, field: Field, decimals: pl.Expr) -> pl.Expr:
    """A number as it is meant: what the database keeps as an integer gets its decimals back."""
    if not field.stored:
        return pl.col(name).cast(AMOUNT)
    factor = _unit(0)
    for places in range(1, DECIMALS_MAX + 1):
        factor = pl.when(decimals == places).then(_unit(places)).otherwise(factor)
    return pl.col(name).cast(AMOUNT) * factor


def _too_fine(value: pl.Expr, decimals: pl.Expr) -> pl.Expr:
    """Whether a value has more decimals than it may."""
    return pl.any_horizontal(
        (decimals == places) & (value % _unit(places) != 0) for places in range(DECIMALS_MAX)
    )


def _unit(places: int) -> pl.Expr:
    """The smallest amount with so many decimals."""
    return pl.lit(Decimal(1).scaleb(-places)).cast(AMOUNT)


# ------------------------------------------------------------------ folding


def refuse_look_alikes(rows: pl.LazyFrame, shape: Shape, table: str) -> None:
    """Refused if several fields make one code of two keys: their numbers would add up (rule 7).

    A blank part is left out of a code, and a part may hold what stands between others.
    """
    for header in shape.identify:
        source = shape.sources[header]
        if len(source.names) < 2:
            continue
        keys = rows.select(*source.names, code=shown(source, shape.fields)).unique()
        several = keys.group_by("code").len().filter(pl.col("len") > 1).sort("code")
        codes = several.head(SUBJECTS_SHOWN_MAX).collect()["code"].to_list()
        if codes:
            told = ", ".join(repr(code[:CODE_CHARACTERS_MAX]) for code in codes)
            raise Refused(
                f"Rows of {table} with different {'.'.join(source.names)} have one code of "
                f"{header}: {told}.",
                untouched="Nothing was sent to Anaplan.",
                do="Join these fields in `columns` by a sign that none of them holds, or leave "
                "rows with a blank part out by `where`.",
            )  # fmt: skip


def rows_as_meant(
    rows: pl.LazyFrame, shape: Shape, money: Money, maps: Mapping[str, pl.DataFrame]
) -> pl.LazyFrame:
    """A row of the table with its headers as columns, `too_fine`, and the currency of each number.

    `maps`: header → the mapping table of the dimension that its codes are of. Codes are mapped as
    of the last period: a table has none of its own. ROW holds the row as it was read.
    """
    fields = shape.fields
    made: dict[str, pl.Expr] = {
        h: shown(shape.sources[h], fields) for h in (*shape.identify, *shape.texts)
    }
    fine: list[pl.Expr] = []
    for header in shape.numbers:
        name = shape.sources[header].names[0]
        currency = currency_of(fields[name], fields, money)
        decimals = _decimals(currency, fields[name], money)
        made[header] = _value(name, fields[name], decimals)
        made[currency_column(header)] = currency
        fine.append(_too_fine(made[header], decimals))
    found = rows.select(
        pl.struct(pl.all()).alias(ROW),
        too_fine=pl.any_horizontal(fine) if fine else pl.lit(False), **made,
    )  # fmt: skip
    for header, table in maps.items():
        found = _mapped(found, header, table)
    return found


def currency_column(header: str) -> str:
    """The column that holds the currency of a number."""
    return f"{header}\n{CURRENCY}"


def beside(shape: Shape) -> list[str]:
    """The columns of a cell that are not of the file: its currencies, rows and why it is held."""
    return [*(currency_column(h) for h in shape.numbers), ROWS, HELD]


def _mapped(rows: pl.LazyFrame, header: str, table: pl.DataFrame) -> pl.LazyFrame:
    """Codes through the rows of a mapping that hold in the last period."""
    codes = rows.select(header).unique().collect()[header]
    known = resolved(table, codes).sort("since").unique("source", keep="last")
    pairs = known.select(pl.col("source").alias(header), mapped="target").lazy()
    joined = rows.join(pairs, on=header, how="left")
    return joined.with_columns(pl.coalesce("mapped", header).alias(header)).drop("mapped")


def fold(meant: pl.LazyFrame, shape: Shape) -> pl.DataFrame:
    """Cells: the shape's columns, the currency of each number, `rows` behind them, `held` or "".

    Numbers of one cell add up; a cell that would add two currencies, whose texts contradict each
    other, or with a number that has more decimals than it may is held. Rows that do not name every
    member are left out (`without_member`).
    """
    named = meant.filter(pl.all_horizontal(pl.col(h) != "" for h in shape.identify))
    currencies = [
        pl.col(currency_column(h)).filter(pl.col(h) != 0).unique().sort().alias(currency_column(h))
        for h in shape.numbers
    ]
    several = [pl.col(t).n_unique().alias(f"{t}\nvalues") for t in shape.texts]
    folded = (
        named.group_by(shape.identify)
        .agg(
            *(pl.col(h).sum().cast(AMOUNT) for h in shape.numbers),
            *(pl.col(t).first() for t in shape.texts),
            *currencies, *several,
            rows=pl.len(), too_fine=pl.col("too_fine").any(),
        )
    )  # fmt: skip
    lengths = [pl.col(h).str.len_chars() > CODE_CHARACTERS_MAX for h in shape.identify]
    rules = (
        (pl.any_horizontal(lengths), TOO_LONG),
        (pl.col("too_fine"), DECIMALS),
        (_any(pl.col(currency_column(h)).list.len() > 1 for h in shape.numbers), CURRENCIES),
        (_any(pl.col(f"{t}\nvalues") > 1 for t in shape.texts), CONFLICT),
    )
    held = pl.lit("")
    for condition, why in reversed(rules):
        held = pl.when(condition).then(pl.lit(why)).otherwise(held)
    single = [
        pl.when(pl.col(name).list.len() == 1).then(pl.col(name).list.first())
        .otherwise(pl.lit("")).alias(name)
        for name in map(currency_column, shape.numbers)
    ]  # fmt: skip
    wanted = [*shape.schema, *beside(shape)]
    return folded.with_columns(held=held).with_columns(single).select(wanted).sort(
        shape.identify
    ).collect()  # fmt: skip


def _any(conditions: Iterable[pl.Expr]) -> pl.Expr:
    found = list(conditions)
    return pl.any_horizontal(found) if found else pl.lit(False)


def without_member(meant: pl.LazyFrame, shape: Shape, table: str) -> list[Finding]:
    """Rows that do not name a member of every dimension, a finding per header."""
    found = []
    for header in shape.identify:
        rows = meant.filter(pl.col(header) == "").select(pl.len()).collect().item()
        if rows:
            found.append(
                Finding(
                    NO_MEMBER, Severity.REJECT, f"{header} of {table}",
                    f"{counted(rows, 'row')} of {table} have no {header}, so no cell or item of "
                    "Anaplan could hold them.",
                    "Leave such rows out by `where`, or correct them in JD Edwards.", cells=rows,
                )
            )  # fmt: skip
    return found


_HELD_WORDS = {
    TOO_LONG: (
        f"name a code longer than Anaplan's {CODE_CHARACTERS_MAX} characters",
        "Declare a shorter code in `columns`.",
    ),
    DECIMALS: (
        "hold a number with more decimals than its currency or `number` has",
        "Correct the amount in JD Edwards, or declare the field otherwise.",
    ),
    CURRENCIES: (
        "would add up amounts of several currencies",
        "Add the currency to what `identify` names, or choose one currency by `where`.",
    ),
    CONFLICT: (
        "have several rows that say different things of one text or date",
        "Name more of the key in `identify`, or leave the text out.",
    ),
}


def held_findings(cells: pl.DataFrame, shape: Shape) -> list[Finding]:
    """One per reason for which cells are held, with some of them by name."""
    found = []
    for why, (words, remedy) in _HELD_WORDS.items():
        some = cells.filter(pl.col(HELD) == why)
        if some.height:
            found.append(
                Finding(
                    why, Severity.REJECT, subjects(some, shape),
                    f"{counted(some.height, 'cell')} {words}: not sent.", remedy,
                    cells=some.height,
                )
            )  # fmt: skip
    return found


def subjects(cells: pl.DataFrame, shape: Shape) -> str:
    """The first cells by their members, and that there are more."""
    some = cells.select(pl.concat_str(shape.identify, separator=BETWEEN_MEMBERS).alias("s"))
    shown = some["s"].head(SUBJECTS_SHOWN_MAX).to_list()
    return "; ".join(shown) + ("…" if cells.height > len(shown) else "")


# ------------------------------------------------------------------ what to send


def changed(
    cells: pl.DataFrame, proved: pl.DataFrame, shape: Shape, *, items: bool = False
) -> pl.DataFrame:
    """Those cells that Anaplan was not last proved to show as they are.

    A cell that is not there shows zero; an item that is not there (`items`) is none.
    """
    key = list(shape.identify)
    there = proved.select(shape.schema.keys()).with_columns(there=pl.lit(True))
    both = cells.join(there, on=key, how="left", suffix="\nshown")
    differs = _differs(shape) | (pl.col("there").is_null() if items else pl.lit(False))
    return both.filter(differs).select(cells.columns)


def _differs(shape: Shape) -> pl.Expr:
    return _any([
        *(pl.col(h) != pl.col(f"{h}\nshown").fill_null(ZERO) for h in shape.numbers),
        *(pl.col(t) != pl.col(f"{t}\nshown").fill_null("") for t in shape.texts),
    ])  # fmt: skip


def left_behind(cells: pl.DataFrame, proved: pl.DataFrame, shape: Shape) -> pl.DataFrame:
    """What Anaplan shows with a number and no row of the table stands behind any more, as zero."""
    gone = proved.join(cells.select(shape.identify), on=list(shape.identify), how="anti")
    with_numbers = gone.filter(_any(pl.col(h) != 0 for h in shape.numbers))
    zeros = with_numbers.with_columns(ZERO.alias(h) for h in shape.numbers)
    more = zeros.with_columns(
        *(pl.lit("").alias(currency_column(h)) for h in shape.numbers),
        pl.lit(0, pl.get_index_type()).alias(ROWS), pl.lit("").alias(HELD),
    )  # fmt: skip
    return more.select(cells.columns)
