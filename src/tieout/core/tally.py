"""Counts and exact sums of rows that pass through a run, and where what came in went to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TypeAlias

import polars as pl

from tieout.core.findings import Finding, Severity
from tieout.core.frames import AMOUNT

Told: TypeAlias = Mapping[str, object]  # a tally as JSON: {"rows": 3, "sums": {"AA USD": "1.50"}}
# Ledger, company → the currency its amounts are in where a row names none.
CurrencyOf: TypeAlias = Callable[[str, str], str]
RULE = "not-accounted"
CONTROL = "control total"
SUMS_SHOWN_MAX = 3


@dataclass(frozen=True, slots=True)
class Tally:
    """So many rows, and what their amounts add up to by ledger and currency ("AA USD").

    The same currency nets debits and credits. Where a mapping brings companies of several
    currencies together, the currency is left out and the sum is a control total only.
    """

    rows: int = 0
    sums: Mapping[str, Decimal] = field(default_factory=dict)

    def __add__(self, other: Tally) -> Tally:
        return self._with(other, 1)

    def __sub__(self, other: Tally) -> Tally:
        return self._with(other, -1)

    def _with(self, other: Tally, sign: int) -> Tally:
        sums = dict(self.sums)
        for name, amount in other.sums.items():
            sums[name] = sums.get(name, Decimal(0)) + sign * amount
        return Tally(self.rows + sign * other.rows, sums)

    @property
    def nothing(self) -> bool:
        """No rows, and no sum that is not zero."""
        return self.rows == 0 and not any(self.sums.values())

    def control(self) -> Tally:
        """The same rows with one sum over everything: no amount of money, but a control total."""
        return Tally(self.rows, {CONTROL: sum(self.sums.values(), Decimal(0))})

    def told(self) -> dict[str, object]:
        """This tally as JSON; amounts as decimal text."""
        return {
            "rows": self.rows,
            "sums": {name: f"{self.sums[name]:f}" for name in sorted(self.sums)},
        }


def tally_from(told: Told) -> Tally:
    """The tally that `Tally.told` wrote."""
    rows, sums = told["rows"], told["sums"]
    if not isinstance(rows, int) or not isinstance(sums, Mapping):
        raise ValueError(f"not a tally: {told}")
    return Tally(rows, {str(name): Decimal(str(amount)) for name, amount in sums.items()})


def added(tallies: Iterable[Tally]) -> Tally:
    """All of them together."""
    return sum(tallies, Tally())


def tally_of(
    frame: pl.DataFrame, amount: str, currency_of: CurrencyOf, *, rows: str = "",
    company: str = "company",
) -> Tally:  # fmt: skip
    """What a frame with the columns ledger, currency and `company` holds.

    `amount` names the column that is added up; `rows` one that says how many rows each stands for
    (else each is one).
    """
    count = pl.col(rows).sum() if rows else pl.len()
    sums = [count.cast(pl.Int64).alias("rows"), pl.col(amount).sum().cast(AMOUNT).alias("sum")]
    key = ["ledger", "currency", company]
    # Mostly a frame holds one company and ledger: comparing is quicker than grouping.
    one = frame.select((pl.col(key) == pl.col(key).first()).all()).row(0) if frame.height else ()
    by = [name for name, same in zip(key, one, strict=False) if not same]
    grouped = frame.group_by(by).agg(*sums) if by else frame.select(sums)
    found = Tally()
    for row in grouped.iter_rows(named=True) if frame.height else ():
        here = {name: row[name] if name in by else frame[name][0] for name in key}
        currency = here["currency"] or currency_of(here["ledger"], here[company])
        name = label(here["ledger"], currency)
        found += Tally(row["rows"], {name: row["sum"]})
    return found


def tallies_by(rows: pl.DataFrame, what: str, currency_of: CurrencyOf) -> dict[str, Tally]:
    """Rows that are counted already (`rows`, `amount`), together by the column `what`."""
    found: dict[str, Tally] = {}
    for row in rows.iter_rows(named=True):
        currency = row["currency"] or currency_of(row["ledger"], row["company"])
        tally = Tally(row["rows"], {label(row["ledger"], currency): row["amount"]})
        found[row[what]] = found.get(row[what], Tally()) + tally
    return found


def control_total(rows: pl.LazyFrame, amount: str) -> Tally:
    """So many rows and their control total; reads one column."""
    found = rows.select(pl.len().alias("rows"), pl.col(amount).sum().cast(AMOUNT)).collect()
    return Tally(found.item(0, "rows"), {CONTROL: found.item(0, amount)})


def label(ledger: str, currency: str) -> str:
    """How a sum is named: its ledger and its currency."""
    return f"{ledger} {currency}".strip()


@dataclass(frozen=True, slots=True)
class Passage:
    """Rows that came to a step, and what became of them; nothing may be left over.

    `what`: the rows in the plural, with a verb in front where a sentence needs one ("read" lines).
    """

    step: str
    verb: str
    what: str
    came: Tally
    went: Mapping[str, Tally]

    @property
    def missing(self) -> Tally:
        """What came and went nowhere; below zero: what came from nowhere."""
        return self.came - added(self.went.values())

    @property
    def agrees(self) -> bool:
        """Whether counts and all sums agree."""
        return self.missing.nothing

    def told(self) -> dict[str, object]:
        """This passage as JSON."""
        went = [{"as": name} | tally.told() for name, tally in self.went.items()]
        return {
            "step": self.step, "verb": self.verb, "what": self.what, "came": self.came.told(),
            "went": went, "missing": self.missing.told(), "agrees": self.agrees,
        }  # fmt: skip


def not_accounted(passages: Sequence[Passage]) -> list[Finding]:
    """A finding per passage that does not agree: which step, and what is missing."""
    return [_finding(p) for p in passages if not p.agrees]


def _finding(passage: Passage) -> Finding:
    missing = passage.missing
    apart = {name: amount for name, amount in sorted(missing.sums.items()) if amount}
    sums = "; ".join(f"{amount:f} in {name}" for name, amount in [*apart.items()][:SUMS_SHOWN_MAX])
    count = f"{abs(missing.rows):,} of {passage.came.rows:,} {passage.what}"
    where = f"at the step “{passage.step}”"
    if missing.rows > 0:
        what = f"{count} went missing {where}"
    elif missing.rows < 0:
        what = f"{abs(missing.rows):,} {passage.what} more than came are there {where}"
    else:
        what = f"The {passage.what} are as many as came {where}, and their amounts are not"
    single = next(iter(apart.items())) if len(apart) == 1 else None
    return Finding(
        RULE, Severity.DIFFERENCE, f"step {passage.step}",
        f"{what}{f' ({sums})' if sums else ''}.",
        "Do not rely on this run: run the flow with --full. If it happens again, ask who runs this "
        "machine what changed the kept files.",
        amount=single[1] if single else None,
        currency=single[0].partition(" ")[2] if single else "", cells=abs(missing.rows),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Loaded:
    """What Anaplan said of the rows of a file; None is "not said", never zero."""

    accepted: int | None
    rejected: int | None
    ignored: int | None

    def settled(self, rows: int, not_shown: int) -> dict[str, int]:
        """Every row of the file by what became of it.

        What Anaplan did not say is settled by the read-back: `not_shown` of the `rows` do not show
        the amount that was sent.
        """
        if None not in (self.accepted, self.rejected, self.ignored):
            names = ("accepted", "rejected", "ignored")
            return {n: getattr(self, n) for n in names}
        shown = rows - not_shown
        accepted = {"accepted": self.accepted}
        if self.accepted is None:
            accepted = {"accepted, by the read-back": shown}
        others = {"rejected": self.rejected, "ignored": self.ignored}
        known = {name: n for name, n in others.items() if n is not None}
        rest = " or ".join(name for name in others if name not in known)
        left = {f"{rest}, by the read-back": max(0, not_shown - sum(known.values()))}
        return {**accepted, **known, **(left if rest else {})}  # type: ignore[dict-item]  # told
