"""The mapping table read: exact codes, ranges, patterns and a default, each since some period.

The source of a row says which codes it takes: `4010` that code; `4000..4999` every code from the
first to the last, text order as JD Edwards sorts, and whatever begins with the last; `41*` or
`4?10` what the pattern fits; `*` every code that no other row takes. An exact row goes before a
range, a range before a pattern, a pattern before the default; of several rows of one kind the one
that began last. A code that no row takes stands for itself.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import combinations

import polars as pl

from tieout.core.frames import Schema, as_schema, empty

EXACT, RANGE, PATTERN, DEFAULT = "exact", "range", "pattern", "default"
KINDS = (EXACT, RANGE, PATTERN, DEFAULT)  # in the order in which they take a code
ITSELF = "="  # as a target: the code stands for itself
ALL = "*"
UNKNOWN_MARK = "?"  # begins the code of an account that F0901 never showed; it is never mapped
_BETWEEN = ".."
_INEXACT = r"[*?]|\.\."  # in a source that is not one code
_RESOLVED: Schema = {
    "source": pl.String, "target": pl.String, "since": pl.Int32, "rule": pl.String,
}  # fmt: skip


def kind_of(source: str) -> str:
    """Which codes a row takes: one of KINDS."""
    if source == ALL:
        return DEFAULT
    if set(source) & {"*", "?"}:
        return PATTERN
    return RANGE if _BETWEEN in source else EXACT


def ends(source: str) -> tuple[str, str]:
    """The first and the last code of a range."""
    first, _, last = source.partition(_BETWEEN)
    return first, last


def fault(source: str) -> str:
    """Why a source cannot be meant so, "" when it can."""
    if kind_of(source) != RANGE:
        return ""
    first, last = ends(source)
    if not first or not last or _BETWEEN in last:
        return f"{source!r} is no range such as 4000..4999"
    return f"the range {source} ends before it begins" if first[: len(last)] > last else ""


def takes(source: str, code: str = "code") -> pl.Expr:
    """Whether a row with this source takes the code in a column; see the module."""
    column, kind = pl.col(code), kind_of(source)
    if kind == EXACT:
        return column == source
    if kind == RANGE:
        first, last = ends(source)
        return (column >= first) & (column.str.slice(0, len(last)) <= last)
    return column.str.contains(f"^{_as_regex(source)}$")  # the default fits everything


def _as_regex(pattern: str) -> str:
    parts = (re.escape(c) for c in pattern)
    return "(?s)" + "".join({r"\*": ".*", r"\?": "."}.get(p, p) for p in parts)


def resolved(table: pl.DataFrame, codes: pl.Series) -> pl.DataFrame:
    """source, target, since (202504; 0: always), rule of every code that some row takes.

    One row for each time another row of the table takes a code; `rule` is its source. `table`:
    source, target and, optionally, effective_from ("2025-04": for that fiscal period and later
    ones; "": always); of rows with one source and start the last holds. Codes that begin with
    UNKNOWN_MARK are left out.
    """
    known = codes.drop_nulls().unique().alias("code").to_frame()
    known = known.filter(~pl.col("code").str.starts_with(UNKNOWN_MARK))
    inexact = pl.col("source").str.contains(_INEXACT)
    rules = _rules(table.filter(pl.col("source").is_in(known["code"].implode()) | inexact))
    exact = rules.filter(pl.col("rank") == KINDS.index(EXACT))
    named = known.join(exact, left_on="code", right_on="source", how="inner")
    found = [named.with_columns(rule="code")]
    ordered = known.sort("code") if rules.height != exact.height else known
    every = ordered["code"].to_list() if rules.height != exact.height else []
    for source, target, since, rank in rules.filter(pl.col("rank") > 0).iter_rows():
        inside = rank == KINDS.index(RANGE)
        taken = ordered.slice(*_block(source, every)) if inside else known.filter(takes(source))
        found.append(taken.with_columns(
            target=pl.lit(target, pl.String), since=pl.lit(since, pl.Int32),
            rank=pl.lit(rank, pl.Int8), rule=pl.lit(source),
        ))  # fmt: skip
    candidates = pl.concat([f.select("code", "target", "since", "rank", "rule") for f in found])
    if rules.height != exact.height:
        candidates = _winning(candidates)
    itself = pl.when(pl.col("target") == ITSELF).then(pl.col("code")).otherwise(pl.col("target"))
    return as_schema(candidates.select("since", "rule", source="code", target=itself), _RESOLVED)


def mapped_to(table: pl.DataFrame, codes: pl.Series, target: str) -> list[str]:
    """Those of some codes that stand for `target` from some time on; `table`: see `resolved`."""
    naming = table.filter(pl.col("target").is_in([target, ITSELF]))
    # Few codes are taken by a row that names it; which row wins there, all rows decide.
    if naming["source"].str.contains(_INEXACT).any():
        codes = resolved(naming, codes)["source"]
    else:
        codes = codes.filter(codes.is_in(naming["source"].implode()))
    found = resolved(table, codes) if codes.len() else empty(_RESOLVED)
    return found.filter(pl.col("target") == target)["source"].unique().sort().to_list()


def _block(source: str, ordered: Sequence[str]) -> tuple[int, int]:
    """Where the codes of a range begin among ordered ones, and how many they are."""
    first, last = ends(source)
    begins = bisect_left(ordered, first)
    behind = bisect_right(ordered, last, lo=begins, key=lambda code: code[: len(last)])
    return begins, behind - begins


def _rules(table: pl.DataFrame) -> pl.DataFrame:
    """source, target, since (202504), rank of the rows that hold."""
    starts = table.get_column("effective_from", default=pl.lit("", pl.String))
    month = pl.col("since").fill_null("").str.replace("-", "", literal=True)
    ranks = [KINDS.index(kind_of(source)) for source in table["source"]]
    return (
        table.select("source", "target", since=starts)
        .with_columns(
            since=pl.when(month == "").then(pl.lit("0")).otherwise(month).cast(pl.Int32),
            rank=pl.Series(ranks, dtype=pl.Int8),
        )
        .unique(["source", "since"], keep="last", maintain_order=True)
    )


def _winning(candidates: pl.DataFrame) -> pl.DataFrame:
    """Of every code and each start of one of its rows: the row that takes it from then on."""
    at = candidates.select("code", at="since").unique()
    begun = at.join(candidates, on="code", how="inner").filter(pl.col("since") <= pl.col("at"))
    ordered = begun.sort("code", "at", "rank", "since", descending=[False, False, False, True])
    first = ordered.unique(["code", "at"], keep="first", maintain_order=True)
    return first.select("code", "target", pl.col("at").alias("since"), "rank", "rule")


def through_mapping(rows: pl.DataFrame, dimension: str, table: pl.DataFrame | None) -> pl.DataFrame:
    """Codes of a dimension through its mapping table (`resolved`).

    `rows` have shown_year and shown_period. The order of rows is not kept.
    """
    if table is None or table.is_empty():
        return rows
    known = resolved(table, rows[dimension]).sort("since")
    at = pl.col("shown_year") * 100 + pl.col("shown_period")
    return (
        rows.with_columns(_at=at.cast(pl.Int32))
        .sort("_at")
        .join_asof(
            known.rename({"target": "_target"}), left_on="_at", right_on="since",
            by_left=dimension, by_right="source", check_sortedness=False,
        )
        .with_columns(pl.coalesce("_target", dimension).alias(dimension))
        .select(rows.columns)
    )  # fmt: skip


def conflicts(table: pl.DataFrame) -> Iterator[tuple[str, str]]:
    """Two ranges, or two patterns, that begin together, may take one code, and differ in target.

    Which of them takes it nobody could foresee.
    """
    rules = _rules(table).filter(pl.col("rank").is_in([1, 2]))
    for (rank, _), together in rules.group_by("rank", "since", maintain_order=True):
        pairs = list(together.select("source", "target").iter_rows())
        met = _overlaps if rank == KINDS.index(RANGE) else _patterns_that_meet
        for one, other in met([source for source, _ in pairs]):
            if pairs[one][1] != pairs[other][1]:
                yield pairs[one][0], pairs[other][0]


def _patterns_that_meet(sources: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Which two patterns fit one code; each is compared with each."""
    for one, other in combinations(range(len(sources)), 2):
        if meet(sources[one], sources[other]):
            yield one, other


def _overlaps(sources: Sequence[str]) -> list[tuple[int, int]]:
    """Which two ranges overlap, in the order of the table; looked for in the order of the codes.

    Those that begin inside a range follow it, and the first that does not ends the search.
    """
    ordered = sorted(range(len(sources)), key=lambda n: ends(sources[n]))
    found = []
    for place, one in enumerate(ordered):
        _, last = ends(sources[one])
        for other in ordered[place + 1 :]:
            if ends(sources[other])[0][: len(last)] > last:
                break
            if meet(sources[one], sources[other]):
                found.append((min(one, other), max(one, other)))
    return sorted(found)


def meet(one: str, other: str) -> bool:
    """Whether some code is taken by both sources, two ranges or two patterns."""
    if kind_of(one) == RANGE:
        (a, last_a), (b, last_b) = ends(one), ends(other)
        low = max(a, b)
        return low[: len(last_a)] <= last_a and low[: len(last_b)] <= last_b
    return _fit_both(one, other)


def _fit_both(one: str, other: str) -> bool:
    """Whether some text fits both patterns."""

    @cache
    def fit(i: int, j: int) -> bool:
        a, b = one[i : i + 1], other[j : j + 1]
        if not a and not b:
            return True
        if a == ALL:
            return fit(i + 1, j) or (bool(b) and fit(i, j + 1))
        if b == ALL:
            return fit(i, j + 1) or (bool(a) and fit(i + 1, j))
        same = bool(a) and bool(b) and (a == b or "?" in (a, b))
        return same and fit(i + 1, j + 1)

    return fit(0, 0)
