"""What the practice AIS answers: prepared pages and totals, chosen by the conditions of a query."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from operator import ge, le
from typing import Any

from bench.books import DATE, TIME
from bench.ledger import COMPANIES, MONTHS, PERIODS, YEARS, Ledger

NEXT = "/jderest/v2/dataservice/next"
MONTH_ENDS = {
    2024: ["0131", "0229", "0331", "0430", "0531", "0630", "0731", "0831", "0930", "1031", "1130",
           "1231"]
}  # fmt: skip
MONTH_ENDS[2025] = ["0131", "0228", *MONTH_ENDS[2024][2:]]
SIGNED_IN = {
    "username": "TIEOUT", "environment": "JPD920", "role": "*ALL",
    "userInfo": {"token": "bench", "simpleDateFormat": "MM/dd/yyyy", "decimalFormat": ".",
                 "appsRelease": "E920"},
}  # fmt: skip
BEGIN = (
    '{"fs_DATABROWSE_%s":{"title":"Data Browser - %s","data":{"gridData":{"id":50,'
    '"fullGridId":"50","rowset":['
)
END = (
    '],"summary":{"records":%d,"moreRecords":%s}}},"errors":[],"warnings":[]},"stackId":1,'
    '"stateId":1,"rid":"bench","currentApp":"DATABROWSE_%s","timeStamp":"2026-01-15:10.11.12",'
    '"sysErrors":[],"links":[%s]}'
)
# What the product asks of the large tables; the bytes are ready before the clock starts.
PREPARED = {
    "F0911": "DCT DOC KCO DGJ JELN LT EXTL POST CO AID MCU OBJ SUB SBL SBLT CTRY FY PN CRCD BCRC "
    "AA ICUT ICU UPMJ UPMT EXA EXR R2 RE SUMM",
    "F0902": "AID CTRY FY FQ LT SBL SBLT CRCD CO OBJ MCU "
    + " ".join(f"{name}{n:02d}" for name in ("AN", "AND") for n in range(1, 15)),
    "F0901": "AID CO MCU OBJ SUB DL01",
    "F0011": "ICUT ICU IST DICJ UPMJ UPMT",
}


class NotPreparedError(Exception):
    """The product asked something that this benchmark has no bytes for."""


@dataclass(frozen=True, slots=True)
class Body:
    """An answer in pieces that are sent one after the other, without being put together."""

    pieces: tuple[bytes, ...]

    @property
    def size(self) -> int:
        """Bytes in all."""
        return sum(map(len, self.pieces))


class Ais:
    """Sign-in, BROWSE with next links, AGGREGATION and COUNT over one ledger; thread-safe."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._begin = {name: (BEGIN % (name, name)).encode() for name in PREPARED}
        self._reads: dict[str, Iterator[Body]] = {}
        self._numbers, self._lock = itertools.count(1), threading.Lock()
        self._small = _small_tables()

    def answer(self, path: str, query: str, body: bytes) -> Body:
        """The answer to one POST; NotPreparedError when there is none."""
        if path == NEXT:
            return next(self._reads[query.removeprefix("cursor=")])
        if path.endswith("/v2/tokenrequest"):
            return _json(SIGNED_IN)
        if path.endswith(("/logout", "/defaultconfig")):
            return _json({})
        asked = json.loads(body)
        table, where = asked["targetName"], _conditions(asked["query"])
        if asked["dataServiceType"] == "AGGREGATION":
            return _json({f"ds_{table}": {"output": self._totals(table, asked, where)}})
        aliases = {name.split(".")[1] for name in asked["returnControlIDs"].split("|")}
        if table in self._small:
            return self._small_page(table, aliases)
        if aliases != set(PREPARED[table].split()):
            raise NotPreparedError(f"{table} is prepared with other columns than {sorted(aliases)}")
        return self._read(table, self._pages_of(table, where))

    def bodies(self) -> Iterator[bytes]:
        """Every page of the large tables as it is served once in a first load."""
        for table, pages in self._everything():
            for rows, count in pages:
                yield b"".join(self._page(table, rows, count, "0").pieces)

    def _everything(self) -> Iterator[tuple[str, list[tuple[bytes, int]]]]:
        for lines in self._ledger.lines.values():
            yield "F0911", lines.pages
        for pages in self._ledger.balances.values():
            yield "F0902", pages
        yield "F0901", self._ledger.accounts
        yield "F0011", self._ledger.batches

    # ------------------------------------------------------------------ pages

    def _pages_of(self, table: str, where: Mapping[str, Sequence[str]]) -> list[tuple[bytes, int]]:
        if table == "F0911":
            return [page for at in self._places(where) for page in self._ledger.lines[at].pages]
        if table == "F0902":
            return [p for at in self._company_years(where) for p in self._ledger.balances[at]]
        return self._ledger.accounts if table == "F0901" else self._ledger.batches

    def _read(self, table: str, pages: list[tuple[bytes, int]]) -> Body:
        """The first page; the others wait behind their links."""
        with self._lock:
            cursor = str(next(self._numbers))
        last = len(pages) - 1
        if not pages:
            return self._page(table, b"", 0, "")
        self._reads[cursor] = (
            self._page(table, rows, count, cursor if n < last else "")
            for n, (rows, count) in enumerate(pages)
        )
        return next(self._reads[cursor])

    def _page(self, table: str, rows: bytes, count: int, cursor: str) -> Body:
        link = f'{{"rel":"next","href":"http://ais.example{NEXT}?cursor={cursor}"}}'
        more = "true" if cursor else "false"
        end = END % (count, more, table, link if cursor else "")
        return Body((self._begin[table], rows, end.encode()))

    def _small_page(self, table: str, aliases: set[str]) -> Body:
        rows = self._small[table]
        shown = [{f"{table}_{a}": row[a] for a in sorted(aliases)} for row in rows]
        text = json.dumps(shown)[1:-1]
        end = END % (len(rows), "false", table, "")
        return Body(((BEGIN % (table, table)).encode(), text.encode(), end.encode()))

    # ------------------------------------------------------------------ totals

    def _totals(
        self, table: str, asked: dict[str, Any], where: Mapping[str, Sequence[str]]
    ) -> list[dict[str, Any]]:
        groups = [g["column"].split(".")[1] for g in asked["aggregation"].get("groupBy", [])]
        if table == "F0911":
            return self._line_totals(groups, where)
        if table == "F0902" and not groups:
            kept = self._company_years(where)
            return [{"COUNT": sum(n for at in kept for _, n in self._ledger.balances[at])}]
        if table == "F0902":
            return self._balance_totals("by_object" if "OBJ" in groups else "by_unit", where)
        if table == "F0901":
            return (
                self._ledger.groups["accounts"]
                if groups
                else [{"COUNT": sum(n for _, n in self._ledger.accounts)}]
            )
        if table == "F0011" and not groups:
            return [{"COUNT": sum(n for _, n in self._ledger.batches)}]
        if table in self._small and not groups:
            return [{"COUNT": sum(_fits(row, where) for row in self._small[table])}]
        raise NotPreparedError(f"totals of {table} by {groups}")

    def _balance_totals(
        self, kind: str, where: Mapping[str, Sequence[str]]
    ) -> list[dict[str, Any]]:
        kept = self._company_years(where)
        return [
            g for g in self._ledger.groups[kind]
            if (g["groupBy"]["F0902.CO"], 2000 + g["groupBy"]["F0902.FY"]) in kept
        ]  # fmt: skip

    def _line_totals(
        self, groups: list[str], where: Mapping[str, Sequence[str]]
    ) -> list[dict[str, Any]]:
        if where.get("POST") == ["not", "P"]:  # every line is posted
            return [] if groups else [{"COUNT": 0}]
        places = [(at, self._ledger.lines[at]) for at in self._places(where)]
        if not groups:
            total = sum((lines.total for _, lines in places), Decimal(0))
            return [
                {"COUNT": sum(lines.count for _, lines in places), "F0911.AA_SUM": str(total),
                 "F0911.UPMJ_MAX": DATE, "F0911.UPMT_MAX": int(TIME)}
            ]  # fmt: skip
        if set(groups) != {"CO", "LT", "CTRY", "FY", "PN"}:
            raise NotPreparedError(f"totals of F0911 by {groups}")
        return [
            {
                "groupBy": {"F0911.CO": company, "F0911.LT": "AA", "F0911.CTRY": year // 100,
                            "F0911.FY": year % 100, "F0911.PN": period},
                "COUNT": lines.count,
            }
            for (company, year, period), lines in places
        ]  # fmt: skip

    # ------------------------------------------------------------------ conditions

    def _places(self, where: Mapping[str, Sequence[str]]) -> list[tuple[str, int, int]]:
        periods = where.get("PN", [str(p) for p in PERIODS])
        kept = self._company_years(where)
        return [at for at in self._ledger.lines if at[:2] in kept and str(at[2]) in periods]

    def _company_years(self, where: Mapping[str, Sequence[str]]) -> list[tuple[str, int]]:
        companies = where.get("CO", [code for code, _, _ in COMPANIES])
        years = where.get("FY", [str(year % 100) for year in YEARS])
        return [
            (code, year) for code, _, _ in COMPANIES for year in YEARS
            if code in companies and str(year % 100) in years
        ]  # fmt: skip


_BEYOND = {"LESS_EQUAL": le, "GREATER_EQUAL": ge}


def _conditions(query: Mapping[str, Any]) -> dict[str, list[str]]:
    """Alias → values of every condition, all of which must hold."""
    found: dict[str, list[str]] = {}
    for condition in query["condition"]:
        alias, values = condition["controlId"].split(".")[1], condition["value"]
        literals = [str(v["content"]) for v in values]
        if alias in ("AID", "ICU"):
            raise NotPreparedError(f"{alias} is asked for: something did not tie")
        if condition["operator"] == "NOT_EQUAL":
            literals = ["not", *literals]
        elif alias == "PN" and condition["operator"] in _BEYOND:  # either of them: no such line
            beyond, limit = _BEYOND[condition["operator"]], int(literals[0])
            literals = [*found.get("PN", []), *(str(p) for p in PERIODS if beyond(p, limit))]
        elif condition["operator"] not in ("EQUAL", "LIST"):
            continue  # the window of stamps: every line is inside
        found[alias] = literals
    for nested in query.get("complexQuery", []):
        found |= _conditions(nested["query"])
    return found


def _fits(row: Mapping[str, Any], where: Mapping[str, Sequence[str]]) -> bool:
    """Whether a row of a small table fulfils every condition; dates are asked as MM/dd/yyyy."""
    for alias, values in where.items():
        shown = str(row[alias])
        day = f"{shown[4:6]}/{shown[6:]}/{shown[:4]}"
        if shown not in values and day not in values:
            return False
    return True


def _json(value: object) -> Body:
    return Body((json.dumps(value).encode(),))


def _small_tables() -> dict[str, list[dict[str, Any]]]:
    """F0010, F0008, F0013 and F0025 with the columns the product may ask for."""
    stamp = {"UPMJ": DATE, "UPMT": int(TIME)}
    ends = {
        year: {f"D{n:02d}J": f"{year}{MONTH_ENDS[year][min(n, len(MONTHS)) - 1]}"
               for n in range(1, 15)}
        for year in YEARS
    }  # fmt: skip
    return {
        "F0010": [
            {"CO": code, "NAME": f"Company {code}", "DFYJ": f"{YEARS[-1]}0101", "PNC": 12,
             "NNP": 12, "DTPN": "R", "CRCD": currency, "CRYR": "Y", **stamp}
            for code, currency, _ in COMPANIES
        ],
        "F0008": [
            {"DTPN": "R", "DFYJ": f"{year}0101", "FQ": "", "CTRY": year // 100, "FY": year % 100,
             **ends[year], **stamp}
            for year in YEARS
        ],
        "F0013": [
            {"CRCD": currency, "DL01": currency, "CDEC": str(decimals)}
            for _, currency, decimals in COMPANIES
        ],
        "F0025": [
            {"LT": "AA", "DL01": "Actual amounts", "ULT": "", "FRE": "Y", "FLRB": "Y",
             "FISL": "Y", "CRCX": ""}
        ],
    }  # fmt: skip
