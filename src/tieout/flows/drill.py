"""From a cell of Anaplan to the ledger lines in it, and from a line to its cell.

Everything is read from the kept records, by the mapping of the last run that came to its end;
neither JD Edwards nor Anaplan is asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import polars as pl

from tieout.core import cells as core
from tieout.core.buckets import SUMMARY, bucket_currency
from tieout.core.frames import BUCKET_KEY, BUCKETS, CELL_KEY, LINES, Schema, empty
from tieout.core.mapping import mapped_to
from tieout.flows.balances import ACCOUNTS
from tieout.flows.changes import SEEN
from tieout.flows.dimensions import ALWAYS, constants_of, dimensions_of
from tieout.flows.mirror import FIRST_KEPT, place_of, spanning
from tieout.flows.partitions import PARTITION, outside
from tieout.flows.scope import scope_for
from tieout.flows.world import World
from tieout.project import LoadActuals
from tieout.store.records import Manifest

_KEY = list(CELL_KEY)
_CELL = [f"cell_{name}" for name in CELL_KEY]
_BUCKET = list(BUCKET_KEY)
_SUBLEDGER = ("subledger", "subledger_type")
FEW_KEYS = 50_000  # of which a file is read only where one may stand
FILE = "file"  # the column that says which kept file a row stands in
COMPARED: Schema = {
    **dict.fromkeys(CELL_KEY, pl.String), "ledger_company": pl.String,
    "fiscal_year": pl.Int32, "period": pl.Int16,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for; every field that is given must agree. Codes of JD Edwards or Anaplan."""

    company: str = ""
    account: str = ""  # an object, object.subsidiary, BU.OBJ.SUB, account id or Anaplan's code
    business_unit: str = ""
    ledger: str = ""
    period: tuple[int, int] | None = None  # fiscal year and period
    member: str = ""  # Anaplan's name of a period
    code: str = ""  # of any of Anaplan's dimensions
    document: int | None = None
    document_type: str = ""
    batch: int | None = None
    amount: Decimal | None = None  # of a line or of a cell, with either sign

    @property
    def of_lines(self) -> bool:
        """Whether only a line can have it."""
        return not (self.document is None and self.batch is None and not self.document_type)


def buckets(world: World[LoadActuals], wanted: Wanted) -> pl.DataFrame:
    """The buckets that may agree with `wanted`, each with the cell it is folded into.

    Columns: BUCKETS as JD Edwards has them, `cell_*` (CELL_KEY of the cell), `ledger_unit`,
    `ledger_account`, `sign`.
    """
    accounts = world.frame("accounts", ACCOUNTS)
    files = _bucket_files(world, wanted)
    rows = world.store.scan(files) if files else empty(BUCKETS).lazy()
    found = rows.filter(*_places(wanted))
    known = _accounts_of(world, wanted, accounts)
    if known is not None:
        found = found.filter(pl.col("account_id").is_in(known.implode()))
    return placed(world, found.collect(), accounts)


def _bucket_files(world: World[LoadActuals], wanted: Wanted) -> list[Manifest]:
    """The files of buckets that may agree: those of other companies and years are not opened."""
    files = world.store.current(world.flow_name, "buckets")
    if wanted.company:
        codes = pl.Series([m.company for m in files], dtype=pl.String)
        table = world.store.mapping("company", at_version=mapping_seen(world))
        here = {wanted.company, *mapped_to(table, codes, wanted.company)}
        files = [m for m in files if m.company in here]
    if wanted.period:
        return [m for m in files if m.fiscal_year == wanted.period[0]]
    if wanted.member:
        members = scope_for(world).member_frame().filter(pl.col("member") == wanted.member)
        years = set(members["fiscal_year"].to_list())
        files = [m for m in files if m.fiscal_year in years] if years else files
    return files


def _places(wanted: Wanted) -> list[pl.Expr]:
    """Conditions on ledger and period as JD Edwards has them: no mapping is in between."""
    found = [pl.col("ledger") == wanted.ledger] if wanted.ledger else []
    if wanted.period:
        year, number = wanted.period
        found += [pl.col("fiscal_year") == year, pl.col("period") == number]
    return found


def mapping_seen(world: World[LoadActuals]) -> int | None:
    """The version of the mapping that the last run which came to its end used."""
    version: int | None = (world.store.position(world.flow_name, SEEN) or {}).get("mappings")
    return version


def placed(
    world: World[LoadActuals], found: pl.DataFrame, accounts: pl.DataFrame,
    version: int | None = None,
) -> pl.DataFrame:  # fmt: skip
    """BUCKETS with the cell each is folded into, in the columns of `buckets`.

    `version` of the mapping; None: that of the last run.
    """
    scope, version = scope_for(world), mapping_seen(world) if version is None else version
    rows = core.placed(
        found, accounts, scope.member_frame(), code=world.flow.account_code,
        flip=world.flow.signs.flip,
        tables={d: world.store.mapping(d, at_version=version) for d in ALWAYS},
        by_currency=scope.denominated if "currency" in dimensions_of(world) else None,
    )  # fmt: skip
    own = {"company": "ledger_company", "currency": "ledger_currency"}
    bucket = {name: pl.col(own.get(name, name)) for name in BUCKET_KEY}
    cell = rows.with_columns(**constants_of(world)).select(pl.col(_KEY).name.prefix("cell_"))
    own_rows = rows.select(**bucket, sign="sign", ledger_unit="ledger_unit",
                         ledger_account="ledger_account")  # fmt: skip
    return pl.concat([own_rows, cell], how="horizontal").join(found, on=_BUCKET, how="left")


def _accounts_of(
    world: World[LoadActuals], wanted: Wanted, accounts: pl.DataFrame
) -> pl.Series | None:
    """Ids of the accounts that may agree with `wanted`; None for any."""
    codes = [c for c in (wanted.account, wanted.business_unit, wanted.code) if c]
    if not codes:
        return None
    named = accounts
    for dimension, code in (("account", wanted.account), ("business_unit", wanted.business_unit)):
        if code:
            sources = [code, *_sources(world, dimension, code, accounts)]
            named = named.filter(_account_is(sources, dimension))
    if wanted.code:
        sources = [
            wanted.code,
            *(s for d in ALWAYS for s in _sources(world, d, wanted.code, accounts)),
        ]
        mapped_company = pl.col("company").is_in(sources)
        named = named.filter(
            _account_is(sources, "account") | _account_is(sources, "business_unit")
            | mapped_company | pl.lit(_is_member(world, wanted.code))
        )  # fmt: skip
    return named["account_id"]


def _sources(
    world: World[LoadActuals], dimension: str, target: str, accounts: pl.DataFrame
) -> list[str]:
    """Codes of JD Edwards' accounts that are mapped to a member, ever."""
    column = (
        pl.col(dimension) if dimension != "account" else core.account_code(world.flow.account_code)
    )
    codes = accounts.select(code=column)["code"]
    return mapped_to(world.store.mapping(dimension), codes, target)


def _is_member(world: World[LoadActuals], code: str) -> bool:
    return code in scope_for(world).member_frame()["member"]


def _account_is(codes: Sequence[str], dimension: str) -> pl.Expr:
    if dimension == "business_unit":
        return pl.col("business_unit").is_in(codes)
    rules = ("object", "object.subsidiary", "account", "account_id")
    return pl.any_horizontal(core.account_code(rule).is_in(codes) for rule in rules)


def agreeing(found: pl.DataFrame, wanted: Wanted) -> pl.DataFrame:
    """Those of `buckets` or `of_lines` whose place agrees, by JD Edwards' codes or by Anaplan's."""
    conditions: list[pl.Expr] = []
    if wanted.company:
        conditions.append(_is(wanted.company, "company", "cell_company"))
    if wanted.account:
        joined = pl.concat_str("ledger_unit", pl.lit("."), "ledger_account")
        conditions.append(
            _is(wanted.account, "account_id", "ledger_account", "cell_account")
            | (joined == wanted.account)
            | pl.col("ledger_account").str.starts_with(wanted.account + ".")
        )
    if wanted.business_unit:
        conditions.append(_is(wanted.business_unit, "ledger_unit", "cell_business_unit"))
    if wanted.ledger:
        conditions.append(pl.col("ledger") == wanted.ledger)
    if wanted.period:
        year, number = wanted.period
        conditions += [pl.col("fiscal_year") == year, pl.col("period") == number]
    if wanted.member:
        conditions.append(pl.col("cell_member") == wanted.member)
    if wanted.code:
        conditions.append(_is(wanted.code, *_CELL))
    return found.filter(*conditions)


def _is(code: str, *columns: str) -> pl.Expr:
    return pl.any_horizontal(pl.col(name) == code for name in columns)


def compared_cells(world: World[LoadActuals], wanted: Wanted, keys: pl.DataFrame) -> pl.DataFrame:
    """Cells of the last comparison: those of `keys` (cell_*), and those only Anaplan has.

    A cell that no bucket is folded into can only be found by Anaplan's own codes.
    """
    found = world.lazy("compared", COMPARED)
    near = [  # by the company alone most of a file is passed over
        pl.col(name).is_in(keys[f"cell_{name}"].unique().implode())
        for name in ("company", "account", "member")
    ]
    of_buckets = keys.select(_CELL).unique().rename(lambda name: name.removeprefix("cell_")).lazy()
    some = found.filter(*near) if keys.height <= FEW_KEYS else found
    mine = some.join(of_buckets, on=_KEY, how="semi", nulls_equal=True).collect()
    alone = found.filter(~pl.col("in_ledger")) if "in_ledger" in found.collect_schema() else None
    if alone is None or wanted.of_lines:
        return mine
    conditions = [
        pl.col(name) == code
        for name, code in (
            ("company", wanted.company), ("account", wanted.account), ("member", wanted.member),
            ("business_unit", wanted.business_unit), ("ledger", wanted.ledger),
        )
        if code
    ]  # fmt: skip
    if wanted.period:
        year, number = wanted.period
        conditions += [pl.col("fiscal_year") == year, pl.col("period") == number]
    if wanted.code:
        conditions.append(_is(wanted.code, *_KEY))
    return pl.concat([mine, alone.filter(*conditions).collect()])


def lines_in(world: World[LoadActuals], placed: pl.DataFrame) -> pl.DataFrame:
    """Every version of every line that was ever read for these buckets: LINES, read, FILE.

    `holds`: it was kept by the read that its bucket names; other versions are history.
    `summarised`: it holds, but a BF line stands for it, so the bucket is without it.
    """
    places = placed.select(PARTITION).unique(maintain_order=True).iter_rows(named=True)
    here = [m for place in places for m in _files(world, **place)]
    files = spanning(here, "period", placed["period"])
    ids = placed["account_id"].unique().implode()
    periods = placed["period"].unique().implode()
    inside = [pl.col("account_id").is_in(ids), pl.col("period").is_in(periods)]
    found = _with_cells(_scanned(world, files, inside), placed, how="inner")
    return _summarised(found, found)


def cells_of(world: World[LoadActuals], amount: Decimal) -> pl.DataFrame:
    """Cells of the last comparison in which an amount stands on one of the sides, with any sign."""
    found = world.lazy("compared", COMPARED)
    if "f0911" not in found.collect_schema():
        return found.collect()
    sides = ("f0911", "f0902", "value", "shown")
    same = pl.any_horizontal(pl.col(n).abs() == abs(amount) for n in sides)
    return found.filter(same).collect()


def lines_of(
    world: World[LoadActuals], wanted: Wanted, rows_max: int = 0
) -> tuple[pl.DataFrame, int, int]:
    """The lines that agree with a document, batch or amount, in every version that was read.

    And how many were looked through, of how many that could be: with `rows_max` no more than so
    many, those of the newest years.
    """
    possible = [m for m in _files(world) if not _outside(m, wanted)]
    if wanted.period:
        possible = spanning(possible, "period", pl.Series([wanted.period[1]]))
    files, looked = possible, sum(m.rows for m in possible)
    rows = looked
    if rows_max:
        possible.sort(key=lambda m: m.fiscal_year, reverse=True)  # files of a year stay in order
        files, looked = [], 0
        for manifest in possible:
            if looked + manifest.rows <= rows_max or not files:
                files.append(manifest)
                looked += manifest.rows
    conditions: list[pl.Expr] = []
    for name, value in (
        ("document", wanted.document), ("document_type", wanted.document_type),
        ("batch_number", wanted.batch), ("ledger", wanted.ledger),
    ):  # fmt: skip
        if value not in (None, ""):
            conditions.append(pl.col(name) == value)
    if wanted.amount is not None and files:
        same = pl.col("amount").abs() == abs(wanted.amount)
        files = _with_any(world, files, [*conditions, same])
        conditions.append(same)
    return _scanned(world, files, conditions), looked, rows


def _with_any(
    world: World[LoadActuals], files: Sequence[Manifest], conditions: Sequence[pl.Expr]
) -> list[Manifest]:
    """Those files in which a row agrees: told by the columns of the conditions alone.

    To have all thirty columns at hand costs as much again, and few files have the row.
    """
    found = world.store.scan(files, source=FILE).filter(*conditions).select(FILE).collect()
    here = set(found[FILE].to_list())
    return [m for m in files if m.path in here]


def _files(world: World[LoadActuals], **place: Any) -> list[Manifest]:
    """Every file of the mirror: of lines that count, and of earlier versions alone."""
    kinds = ("lines", "earlier_lines")
    return [m for kind in kinds for m in world.store.current(world.flow_name, kind, **place)]


def _outside(manifest: Manifest, wanted: Wanted) -> bool:
    """Whether a file cannot hold what is wanted, by what its manifest says of it."""
    for name, value in (("document", wanted.document), ("batch_number", wanted.batch)):
        if value is not None and outside(manifest.sums, name, value):
            return True
    year = wanted.period[0] if wanted.period else manifest.fiscal_year
    ledger = wanted.ledger or manifest.ledger
    return manifest.fiscal_year != year or manifest.ledger != ledger


def _scanned(
    world: World[LoadActuals], files: Sequence[Manifest], conditions: Sequence[pl.Expr]
) -> pl.DataFrame:
    if not files:
        return empty({**LINES, "read": pl.Int64, FILE: pl.String})
    found = world.store.scan(files, source=FILE, more=[FIRST_KEPT]).filter(*conditions).collect()
    return found.with_columns(pl.coalesce(FIRST_KEPT, FILE).alias(FILE)).drop(FIRST_KEPT)


def of_lines(world: World[LoadActuals], lines: pl.DataFrame) -> pl.DataFrame:
    """`lines` with `holds`, `summarised` and the cell; without a bucket their cell is null."""
    accounts = world.frame("accounts", ACCOUNTS)

    def buckets_of(some: pl.DataFrame) -> pl.DataFrame:
        keys = some.with_columns(currency=bucket_currency()).select(_BUCKET).unique()
        here = set(keys.select(PARTITION).iter_rows())
        files = [m for m in world.store.current(world.flow_name, "buckets") if place_of(m) in here]
        rows = world.store.scan(files) if files else empty(BUCKETS).lazy()
        return placed(world, rows.join(keys.lazy(), on=_BUCKET, how="semi").collect(), accounts)

    found = _with_cells(lines, buckets_of(lines), how="left")
    details = lines.filter(pl.col("summarized") == "Y")
    if details.is_empty():
        return found.with_columns(summarised=pl.lit(False))
    return _summarised(found, lines_in(world, buckets_of(details)))


def _summarised(lines: pl.DataFrame, every: pl.DataFrame) -> pl.DataFrame:
    """`lines` with `summarised`, by the BF lines among `every` line of the same buckets."""
    same = [*(n if n != "currency" else "bucket_currency" for n in BUCKET_KEY), *_SUBLEDGER]
    summary = pl.col("document_type") == SUMMARY
    there = every.filter(pl.col("holds") & summary).select(same).unique()
    there = there.with_columns(summarised=pl.lit(True))
    marked = lines.join(there, on=same, how="left", nulls_equal=True, maintain_order="left")
    detail = pl.col("holds") & (pl.col("summarized") == "Y") & ~summary
    return marked.with_columns(summarised=(detail & pl.col("summarised")).fill_null(False))


def _with_cells(lines: pl.DataFrame, placed: pl.DataFrame, *, how: str) -> pl.DataFrame:
    buckets_read = placed.select(
        *(pl.col(n).alias("bucket_currency" if n == "currency" else n) for n in BUCKET_KEY),
        *_CELL, "ledger_unit", "ledger_account", "sign", bucket_read="read",
    )  # fmt: skip
    on = [n if n != "currency" else "bucket_currency" for n in BUCKET_KEY]
    joined = lines.with_columns(bucket_currency=bucket_currency()).join(
        buckets_read, on=on, how="inner" if how == "inner" else "left", nulls_equal=True
    )
    return joined.with_columns(holds=(pl.col("read") == pl.col("bucket_read")).fill_null(False))
