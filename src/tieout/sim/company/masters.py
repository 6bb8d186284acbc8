"""Master rows of the demo company: companies, units, accounts, AAIs, currencies, ledger types."""

from __future__ import annotations

from collections.abc import Iterator

from tieout.sim.company import names
from tieout.sim.company.calendar import fiscal_year, julian
from tieout.sim.company.chart import Chart, Company

Row = dict[str, int | str]

AUDIT: Row = {"USER": "SETUP", "PID": "P0000", "JOBN": "RIDGEWEB1", "UPMJ": 123_350, "UPMT": 90_500}
TEMPLATE_COMPANY = "00000"
PERIODS_NORMAL = {"A": 13}
CLOSED_UNIT = "40"

CURRENCIES = (("USD", "U.S. Dollar", "2"), ("EUR", "Euro", "2"), ("JPY", "Japanese Yen", "0"),
              ("KWD", "Kuwaiti Dinar", "3"))  # fmt: skip
# ledger, name, units ledger, closes, must balance, settles intercompany, denominated in
LEDGERS = (
    ("AA", "Actual amounts", "AU", "Y", "Y", "Y", ""),
    ("AU", "Actual units", "", "N", "N", "N", ""),
    ("CA", "Foreign currency", "", "N", "Y", "N", ""),
    ("BA", "Budget amounts", "BU", "N", "N", "N", ""),
    ("BU", "Budget units", "", "N", "N", "N", ""),
    ("XA", "Restated amounts", "", "N", "Y", "N", "USD"),
)
# User defined codes: document types (a budget journal is BN) and batch types.
CODES = (
    ("00", "DT", "JE|Journal entry;BN|Budget journal;AE|Automatic entry;BF|Balance forward;"
     "PV|Voucher;PK|Payment;RI|Invoice;RC|Receipt;OV|Goods received;IM|Inventory move;"
     "T2|Payroll;##|Prior year entry"),
    ("98", "IT", "G|General accounting;V|Voucher;K|Payments;IB|Invoice;RB|Receipts;N|Inventory;"
     "O|Purchasing;7|Payroll"),
)  # fmt: skip
# AAI → first or last object of its range (company 00000); company rows override.
INSTRUCTIONS = (
    ("GLG2", "1000", "Begin assets"), ("GLG3", "2000", "Begin liabilities"),
    ("GLG4", "3400", "Retained earnings"), ("GLG6", "4000", "Begin revenue"),
    ("GLG7", "5000", "Begin cost of goods"), ("GLG8", "6000", "Begin expenses"),
    ("GLG11", "8000", "Begin other income"), ("GLG12", "8999", "End of profit and loss"),
)  # fmt: skip


def company_rows(chart: Chart) -> Iterator[Row]:
    """F0010, with the template record 00000 (§1.5)."""
    yield _company(Company(TEMPLATE_COMPANY, "Default company", "USD", 2, "R", 2025, 12, ""))
    for company in chart.companies.values():
        yield _company(company)


def _company(company: Company) -> Row:
    first = julian(fiscal_year(company.pattern, company.year).first)
    row: Row = {
        "CO": company.code, "NAME": company.name, "DFYJ": first, "PNC": company.period,
        "PNF": company.period, "DFF": first, "NNP": PERIODS_NORMAL.get(company.pattern, 12),
        "DTPN": company.pattern, "CRCD": company.currency, "CRYR": "Y", "CRYC": "N",
        "ARPN": company.period, "ARFJ": first, "APPN": company.period, "APFJ": first,
        "AN8": int(company.code),
    }  # fmt: skip
    return row | AUDIT


def unit_rows(chart: Chart) -> Iterator[Row]:
    """F0006; unit 40 is closed for posting (PECC = N, error 0069)."""
    template: Row = {"MCU": "0", "STYL": "BS", "CO": TEMPLATE_COMPANY, "DL01": "Template"}
    yield template | AUDIT
    for unit in chart.units.values():
        row: Row = {
            "MCU": unit.code, "STYL": unit.style, "CO": unit.company, "DL01": unit.name[:30],
            "DC": unit.name.upper().replace(" ", "")[:40], "LDM": "9",
            "RP01": unit.company[2:], "RP02": unit.kind[:3].upper(),
            "PECC": "N" if unit.code == CLOSED_UNIT else "",
        }  # fmt: skip
        yield row | AUDIT


def account_rows(chart: Chart) -> Iterator[Row]:
    """F0901 as it is today: a recoded account shows its new text (§3.1)."""
    for account in chart.accounts:
        unit, object_account, subsidiary = account.recoded or (
            account.unit, account.object, account.subsidiary,
        )  # fmt: skip
        name = f"{account.name}, recoded" if account.recoded else account.name
        row: Row = {
            "CO": account.company, "AID": account.id, "MCU": unit, "OBJ": object_account,
            "SUB": subsidiary, "DL01": name, "LDA": account.level,
            "PEC": account.edit, "BILL": "N", "CRCD": account.currency,
            "R001": account.category,
        }  # fmt: skip
        yield row | AUDIT


def other_rows() -> dict[str, list[Row]]:
    """F0005, F0009, F0012, F0013 and F0025."""
    instructions: list[Row] = [
        {"ITEM": item, "CO": co, "OBJ": object_account, "DL01": title, "SY": "09", "SEQN": number}
        for co in (TEMPLATE_COMPANY, "00060")
        for number, (item, object_account, title) in enumerate(INSTRUCTIONS, 1)
        if co == TEMPLATE_COMPANY or item == "GLG4"
    ]
    ledgers: list[Row] = [
        {"LT": lt, "DL01": title, "ULT": units, "FRE": close, "FLRB": balance, "FISL": settle,
         "CRCX": currency, "FDBU": "Y" if lt in ("BA", "BU") else "N"}
        for lt, title, units, close, balance, settle, currency in LEDGERS
    ]  # fmt: skip
    currencies: list[Row] = [
        {"CRCD": code, "DL01": name, "CDEC": digits} for code, name, digits in CURRENCIES
    ]
    codes: list[Row] = [
        {"SY": system, "RT": kind, "KY": key, "DL01": title, "HRDC": "N"}
        for system, kind, text in CODES
        for key, _, title in (item.partition("|") for item in text.split(";"))
    ]
    codes += [
        {"SY": "09", "RT": "LT", "KY": row[0], "DL01": row[1], "HRDC": "N"} for row in LEDGERS
    ]
    constants: Row = {"SY": "09", "ICRG": "N", "IARG": "Y", "PBCO": "N", "ALIA": "N", "ICO": "2",
                      "MCS": "Y", "SEP": "."}  # fmt: skip
    tables = {
        "F0005": codes,
        "F0009": [constants],
        "F0012": instructions,
        "F0013": currencies,
        "F0025": ledgers,
    }
    return {table: [row | AUDIT for row in rows] for table, rows in tables.items()}


PATTERNS = "".join(sorted({row[4] for row in names.COMPANIES}))
