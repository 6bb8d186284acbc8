"""Any table or view of JD Edwards as a flow declares it, read whole and proved into the mirror."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
import polars as pl

from tieout.core.frames import Schema
from tieout.core.table import Money, Shape, shape_of
from tieout.core.table_words import FISCAL_YEAR, Field, field_of, meant
from tieout.errors import Refused
from tieout.flows.at_once import ahead, by_readers
from tieout.flows.world import Result, World
from tieout.jde import tables
from tieout.jde.client import Jde
from tieout.jde.proof import Proof, unproved
from tieout.jde.query import Where, at_least, at_most, every, not_equal, one_of
from tieout.jde.wire import CENTURY, YEAR, Column, Table
from tieout.project_tables import Filter, LoadTable
from tieout.store.records import Manifest
from tieout.store.steps import Step
from tieout.strict_json import plain

READS_MAX = 5  # of a table that does not rest
KEYS_SHOWN_MAX = 3
SHARED_FROM_ROWS = 2_000  # fewer are read by one session
PORTIONS_A_READER_MAX = 3  # so that none waits long for another at the end
UNIT_ROWS = 40_000  # rows held in memory before they go to a file of the mirror
ROWS, MONEY = "rows", "money"  # the mirror, and the currencies by which its amounts are meant
_KINDS = {"whole": "integer", "number": "amount"}  # how a page spells a kind of field
_MONEY: Schema = {"of": pl.String, "code": pl.String, "says": pl.String}


def shape(flow: LoadTable) -> Shape:
    """What a row of the import's file is."""
    return shape_of(flow.fields, flow.columns, flow.identify)


def jde_table(flow: LoadTable) -> Table:
    """The table as its pages are read: only the declared columns, CTRY and FY as fiscal year."""
    dated = {"CTRY", "FY"} <= flow.fields.keys()
    columns = []
    for alias, words in flow.fields.items():
        pair = {"CTRY": CENTURY, "FY": YEAR} if dated else {}
        columns.append(pair.get(alias) or _column(alias, field_of(words)))
    names = [FISCAL_YEAR if dated and a == "CTRY" else a for a in flow.key]
    key = tuple(name for name in names if not (dated and name == "FY"))
    return Table(flow.table, key, tuple(columns), owner=flow.owner or flow.table)


def _column(alias: str, field: Field) -> Column:
    kind = _KINDS.get(field.kind, field.kind)
    return Column(alias, alias, kind, width=field.width)  # type: ignore[arg-type]  # one of Kind


def where_of(flow: LoadTable) -> Where | None:
    """All conditions of the flow, each value as its field has it."""
    return every(*(part for one in flow.where for part in _conditions(flow, one)))


def _portions(flow: LoadTable, most: int) -> list[Where | None]:
    """The same rows in at most so many parts: the values of the longest list are dealt out.

    Together they are all rows, and no row is in two: a field has one value.
    """
    lists = [one for one in flow.where if len(set(one.is_)) > 1]
    if not lists:
        return [where_of(flow)]
    longest = max(lists, key=lambda one: len(set(one.is_)))
    others = [p for one in flow.where if one is not longest for p in _conditions(flow, one)]
    values = list(dict.fromkeys(longest.is_))
    dealt = [values[first::most] for first in range(min(most, len(values)))]
    some = [msgspec.structs.replace(longest, is_=tuple(hand)) for hand in dealt]
    return [every(*others, *_conditions(flow, one)) for one in some]


def _conditions(flow: LoadTable, one: Filter) -> Iterator[Where]:
    field = Field("whole") if one.field == FISCAL_YEAR else field_of(flow.fields[one.field])
    if one.is_:
        yield one_of(one.field, [meant(field, value) for value in one.is_])
    for value in one.is_not:
        yield not_equal(one.field, meant(field, value))
    if one.from_ is not None:
        yield at_least(one.field, meant(field, one.from_))
    if one.to is not None:
        yield at_most(one.field, meant(field, one.to))


def read_table(step: Step, world: World[LoadTable]) -> Result:
    """Every row of the flow's conditions into the mirror, in the place of those of last time.

    Nothing holds a table still while its pages are read: an amount that moves from one row to
    another meanwhile can be read twice, or not at all, and no total would tell. So a read counts
    when it is, row by row, the one before it: that of last time, or another one of now. Returns
    how many rows there are, and how many are new, changed and gone since last time.
    """
    table = jde_table(world.flow)
    mirror = _mirror(world, table)
    kept = _read_twice(step, world, table, mirror)
    rows = sum(manifest.rows for manifest in kept)
    moved = _moved(world, table, mirror, kept) if mirror else {}
    emptied = rows == 0 and moved.get("gone", 0) > 0 and not world.asked.get("full")
    if emptied or (mirror and not any(moved.values())):
        step.forget(kept)  # the mirror stays: it says the same, or somebody has to look first
        kept = mirror
    step.keep(MONEY, _money_read(world), replace=True)
    world.sign_out()  # this flow asks nothing more, and others may wait for the session
    return {"rows": rows, "emptied": emptied, **moved}


def _read_twice(
    step: Step, world: World[LoadTable], table: Table, mirror: Sequence[Manifest]
) -> Sequence[Manifest]:
    """The files of a read that is the one before it; those of all others are taken back."""
    where = where_of(world.flow)
    sums = [c.name for c in table.columns if c.kind == "amount"]
    before, proof, by_keys = mirror, None, False
    twice = pl.DataFrame()
    for _ in range(READS_MAX):
        counted = world.jde.measure(table, where, sums)
        kept = _kept(step, world, table, counted.count, by_keys=by_keys)
        rows = sum(manifest.rows for manifest in kept)
        proof = Proof(counted, rows, world.jde.measure(table, where, sums))
        # A row can come twice because others moved; again in the next read, the key is none. And
        # where keys stand for several rows, to compare reads by them would take no end of memory.
        earlier, twice = twice, _several(world, table, kept)
        if proof.holds and len(earlier) and len(twice):
            raise _no_key(table, twice)
        same = bool(before) and not len(earlier) and not len(twice)
        same = same and not any(_moved(world, table, before, kept).values())
        if before is not mirror:
            step.forget(before)
        if proof.holds and same:
            return kept
        before = kept
        if rows < counted.count:
            by_keys = True  # a fetch limit cuts result sets, not key ranges
    step.forget(before)
    assert proof is not None, "it was read at least once"
    raise unproved(table, proof, READS_MAX)


def _kept(
    step: Step, world: World[LoadTable], table: Table, count: int, *, by_keys: bool
) -> list[Manifest]:  # fmt: skip
    """One read of every row into files, by several sessions where there are rows for them."""
    most = PORTIONS_A_READER_MAX * len(world.readers) if count >= SHARED_FROM_ROWS else 1
    parts = _portions(world.flow, most)

    def one(jde: Jde, where: Where | None) -> list[Manifest]:
        expected = count if len(parts) == 1 else jde.count(table, where)
        pages_of = jde.read_by_keys if by_keys else jde.read
        return [
            step.keep(ROWS, unit, replace=True)
            for unit in ahead(_units(table, pages_of(table, where, expected=expected)))
            if unit.height or len(parts) == 1
        ]

    kept = [manifest for some in by_readers(world, one, parts) for manifest in some]
    return kept or [step.keep(ROWS, pl.DataFrame(schema=table.schema), replace=True)]


def _mirror(world: World[LoadTable], table: Table) -> Sequence[Manifest]:
    """The files of last time; none if other fields are read now."""
    files = world.store.current(world.flow_name, ROWS)
    if files and dict(world.store.scan(files).collect_schema()) != table.schema:
        return []
    return files


def _units(table: Table, pages: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """Pages gathered to frames of about UNIT_ROWS rows; an empty one where there are none."""
    held: list[pl.DataFrame] = []
    rows = units = 0
    for page in pages:
        held.append(page)
        rows += page.height
        if rows >= UNIT_ROWS:
            yield pl.concat(held)
            held, rows, units = [], 0, units + 1
    if held or not units:
        yield pl.concat([pl.DataFrame(schema=table.schema), *held])


def _several(world: World[LoadTable], table: Table, kept: Sequence[Manifest]) -> pl.DataFrame:
    """Some keys that stand for more than one row, and of how many; none where all are apart."""
    several = world.store.scan(kept).group_by(table.key).len().filter(pl.col("len") > 1)
    return several.sort(table.key).head(KEYS_SHOWN_MAX).collect()


def _no_key(table: Table, twice: pl.DataFrame) -> Refused:
    """Trimming made two keys equal (jde-gl.md §2.3, rule 7), or what is declared is no key."""
    shown = ", ".join(f"{'/'.join(map(str, key))} {rows} times" for *key, rows in twice.rows())
    return Refused(
        f"Rows of {table.name} share the key that is declared for it ({', '.join(table.key)}): "
        f"{plain(shown)}.",
        untouched="Nothing was sent to Anaplan.",
        do="Declare the whole primary key of the table in `key` of the flow; if it is whole, two "
        "of its codes differ only in blanks: correct them in JD Edwards.",
    )


def _moved(
    world: World[LoadTable], table: Table, before: Sequence[Manifest], now: Sequence[Manifest]
) -> dict[str, int]:
    """How many rows are new, changed and gone between two reads."""
    key = list(table.key)
    told = [
        world.store.scan(files).select(*key, pl.struct(pl.all()).hash().alias(side))
        for files, side in ((before, "old"), (now, "new"))
    ]  # fmt: skip
    both = told[0].join(told[1], on=key, how="full", coalesce=True, nulls_equal=True)
    counts = both.select(
        new=pl.col("old").is_null().sum(), gone=pl.col("new").is_null().sum(),
        changed=(pl.col("old") != pl.col("new")).sum(),
    ).collect()  # fmt: skip
    return {name: int(counts.item(0, name)) for name in ("new", "changed", "gone")}


# ------------------------------------------------------------------ currencies


def _money_read(world: World[LoadTable]) -> pl.DataFrame:
    """Currencies of companies and ledgers and their decimals, where an amount follows one."""
    fields = [field_of(words) for words in world.flow.fields.values()]
    if not any(field.currency for field in fields):
        return pl.DataFrame(schema=_MONEY)
    asked = (
        (tables.COMPANIES, "company", "currency"), (tables.LEDGERS, "ledger",
        "denominated_currency"), (tables.CURRENCIES, "currency", "decimals"),
    )  # fmt: skip
    found = [
        world.jde.read_whole(table, None, columns=(code, says)).select(
            of=pl.lit(table.name), code=code, says=pl.col(says)
        )
        for table, code, says in asked
    ]  # fmt: skip
    return pl.concat(found).filter(pl.col("says") != "")


def money_of(world: World[LoadTable], run: str) -> Money:
    """The currencies as they were when a run read the table."""
    kept = world.of_this_run(run, MONEY, _MONEY)

    def pairs(table: Table) -> dict[str, str]:
        return dict(kept.filter(pl.col("of") == table.name).select("code", "says").iter_rows())

    decimals = {code: int(text) for code, text in pairs(tables.CURRENCIES).items()}
    return Money(pairs(tables.COMPANIES), pairs(tables.LEDGERS), decimals)
