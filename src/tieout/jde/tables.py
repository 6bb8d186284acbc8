"""The JD Edwards tables we read: alias, our name, kind and primary key (facts/jde-gl.md §1)."""

from __future__ import annotations

import polars as pl

from tieout.jde.wire import CENTURY, YEAR, Column, Table

_UPDATED = (
    Column("UPMJ", "updated", "date"),
    Column("UPMT", "updated_time", "integer", pl.Int32),
)
_COMPANY = Column("CO", "company")
_CURRENCY = Column("CRCD", "currency", "code")
_ACCOUNT_ID = Column("AID", "account_id")
_BUSINESS_UNIT = Column("MCU", "business_unit", "code", width=12)
_OBJECT, _SUBSIDIARY = Column("OBJ", "object_account", "code"), Column("SUB", "subsidiary", "code")
_LEDGER = Column("LT", "ledger", "code")
_SUBLEDGER, _SUBLEDGER_TYPE = Column("SBL", "subledger"), Column("SBLT", "subledger_type", "code")
_DESCRIPTION = Column("DL01", "description")


def _category_codes(prefix: str, digits: int, count: int) -> tuple[Column, ...]:
    numbers = range(1, count + 1)
    return tuple(Column(f"{prefix}{n:0{digits}}", f"category_{n:02}", "code") for n in numbers)


ACCOUNT_LEDGER = Table(
    "F0911",
    ("document_type", "document", "document_company", "gl_date", "line_number", "ledger",
     "line_extension"),
    (
        Column("DCT", "document_type", "code"), Column("DOC", "document", "integer"),
        Column("KCO", "document_company"), Column("DGJ", "gl_date", "date"),
        Column("JELN", "line_number", "printed"), _LEDGER, Column("EXTL", "line_extension"),
        Column("POST", "posted", "code"), _COMPANY, _ACCOUNT_ID, _BUSINESS_UNIT, _OBJECT,
        _SUBSIDIARY, _SUBLEDGER, _SUBLEDGER_TYPE, CENTURY, YEAR,
        Column("PN", "period", "integer", pl.Int16), _CURRENCY,
        Column("BCRC", "base_currency", "code"), Column("AA", "amount", "amount"),
        Column("ICUT", "batch_type", "code"), Column("ICU", "batch_number", "integer"), *_UPDATED,
        Column("EXA", "explanation"), Column("EXR", "remark"), Column("R2", "reference_2"),
        Column("RE", "reversal", "code"), Column("SUMM", "summarized", "code"),
    ),
)  # fmt: skip

_BATCH = (Column("ICUT", "batch_type", "code"), Column("ICU", "batch_number", "integer"))
_REFERENCES = (
    Column("EXA", "explanation"), Column("EXR", "remark"), Column("R1", "reference_1"),
    Column("R2", "reference_2"),
)  # fmt: skip

# The same rows of F0911 with what tells whose journal they are; the mirror does not keep that.
JOURNAL_LINES = Table(
    "F0911",
    ACCOUNT_LEDGER.key,
    (
        *(ACCOUNT_LEDGER.column(name) for name in ACCOUNT_LEDGER.key),
        Column("POST", "posted", "code"), _COMPANY, _ACCOUNT_ID, _BUSINESS_UNIT, _OBJECT,
        _SUBSIDIARY, _SUBLEDGER, _SUBLEDGER_TYPE, CENTURY, YEAR,
        Column("PN", "period", "integer", pl.Int16), _CURRENCY, Column("AA", "amount", "amount"),
        *_BATCH, *_REFERENCES, Column("RE", "reversal", "code"),
        Column("TORG", "originator", "code"), Column("USER", "user", "code"), *_UPDATED,
    ),
)  # fmt: skip

BATCH_FILE = Table(
    "F0911Z1",
    ("edi_user", "control_batch", "transaction", "line_number"),
    (
        Column("EDUS", "edi_user", "code"), Column("EDBT", "control_batch", "code"),
        Column("EDTN", "transaction", "code"), Column("EDLN", "line_number", "printed"),
        Column("EDSP", "processed", "code"), Column("DCT", "document_type", "code"),
        Column("DOC", "document", "integer"), Column("KCO", "document_company"),
        Column("DGJ", "gl_date", "date"), _LEDGER, _COMPANY, Column("ANI", "account_input"),
        Column("AM", "account_mode", "code"), _ACCOUNT_ID, _BUSINESS_UNIT, _OBJECT, _SUBSIDIARY,
        _SUBLEDGER, _SUBLEDGER_TYPE, CENTURY, YEAR, Column("PN", "period", "integer", pl.Int16),
        _CURRENCY, Column("AA", "amount", "amount"), *_BATCH, *_REFERENCES,
        Column("USER", "user", "code"),
    ),
)  # fmt: skip

ACCOUNT_BALANCES = Table(
    "F0902",
    ("account_id", "fiscal_year", "fiscal_quarter", "ledger", "subledger", "subledger_type",
     "currency"),
    (
        _ACCOUNT_ID, CENTURY, YEAR, Column("FQ", "fiscal_quarter"), _LEDGER, _SUBLEDGER,
        _SUBLEDGER_TYPE, _CURRENCY, Column("CRCX", "denominated_currency", "code"), _COMPANY,
        _BUSINESS_UNIT, _OBJECT, _SUBSIDIARY, Column("APYC", "balance_forward", "amount"),
        *(Column(f"AN{n:02}", f"net_{n:02}", "amount") for n in range(1, 15)),
        *(Column(f"AND{n:02}", f"debit_{n:02}", "amount") for n in range(1, 15)), *_UPDATED,
    ),
)  # fmt: skip

ACCOUNTS = Table(
    "F0901",
    ("account_id",),
    (
        _ACCOUNT_ID, _COMPANY, _BUSINESS_UNIT, _OBJECT, _SUBSIDIARY,
        Column("ANS", "third_number"), _DESCRIPTION, Column("LDA", "level_of_detail", "code"),
        Column("PEC", "posting_edit", "code"), _CURRENCY,
        *_category_codes("R", 3, 43), *_UPDATED,
    ),
)  # fmt: skip

BUSINESS_UNITS = Table(
    "F0006",
    ("business_unit",),
    (
        _BUSINESS_UNIT, Column("STYL", "business_unit_type", "code"),
        Column("LDM", "level_of_detail", "code"), _COMPANY, _DESCRIPTION,
        Column("PECC", "posting_edit", "code"), *_category_codes("RP", 2, 50), *_UPDATED,
    ),
)  # fmt: skip

COMPANIES = Table(
    "F0010",
    ("company",),
    (
        _COMPANY, Column("NAME", "name"), Column("DFYJ", "fiscal_year_start", "date"),
        Column("PNC", "current_period", "integer", pl.Int16),
        Column("NNP", "normal_periods", "integer", pl.Int16),
        Column("DTPN", "date_pattern", "code"), _CURRENCY,
        Column("CRYR", "multicurrency_method", "code"), *_UPDATED,
    ),
)  # fmt: skip

DATE_PATTERNS = Table(
    "F0008",
    ("date_pattern", "fiscal_year_start", "fiscal_quarter"),
    (
        Column("DTPN", "date_pattern", "code"), Column("DFYJ", "fiscal_year_start", "date"),
        Column("FQ", "fiscal_quarter"), CENTURY, YEAR,
        *(Column(f"D{n:02}J", f"end_{n:02}", "date") for n in range(1, 15)), *_UPDATED,
    ),
)  # fmt: skip

BATCHES = Table(
    "F0011",
    ("batch_type", "batch_number"),
    (
        *_BATCH, Column("IST", "status", "code"), Column("IAPP", "approved", "code"),
        Column("AICU", "amount_entered", "amount"), Column("DICJ", "batch_date", "date"),
        Column("USER", "user"), *_UPDATED,
    ),
)  # fmt: skip

CURRENCIES = Table(
    "F0013",
    ("currency",),
    (_CURRENCY, _DESCRIPTION, Column("CDEC", "decimals", "code")),
)

LEDGERS = Table(
    "F0025",
    ("ledger",),
    (
        _LEDGER, _DESCRIPTION, Column("ULT", "units_ledger", "code"),
        Column("FRE", "close_to_retained_earnings", "code"),
        Column("FLRB", "required_to_balance", "code"),
        Column("FISL", "intercompany_settlements", "code"),
        Column("CRCX", "denominated_currency", "code"),
    ),
)  # fmt: skip

GENERAL_CONSTANTS = Table(
    "F0009",
    ("system",),
    (
        Column("SY", "system", "code"), Column("IARG", "approval", "code"),
        Column("ICRG", "batch_control", "code"), Column("PBCO", "before_cutoff", "code"),
        Column("ALIA", "invalid_accounts", "code"), Column("ICO", "intercompany", "code"),
    ),
)  # fmt: skip

ACCOUNTING_INSTRUCTIONS = Table(
    "F0012",
    ("item", "company"),
    (Column("ITEM", "item", "code"), _COMPANY, _BUSINESS_UNIT, _OBJECT, _SUBSIDIARY),
)

USER_DEFINED_CODES = Table(
    "F0005",
    ("system", "code_type", "code"),
    (
        Column("SY", "system", "code"), Column("RT", "code_type", "code"),
        Column("KY", "code", "code", width=10), _DESCRIPTION,
        Column("DL02", "description_2"), Column("SPHD", "special_handling", "code"),
    ),
)  # fmt: skip

TABLES = {
    table.name: table
    for table in (
        ACCOUNT_LEDGER, ACCOUNT_BALANCES, ACCOUNTS, BUSINESS_UNITS, COMPANIES, DATE_PATTERNS,
        BATCHES, BATCH_FILE, CURRENCIES, LEDGERS, ACCOUNTING_INSTRUCTIONS, GENERAL_CONSTANTS,
        USER_DEFINED_CODES,
    )
}  # fmt: skip
