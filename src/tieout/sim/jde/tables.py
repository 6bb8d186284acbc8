"""The tables of the practice ledger: columns with their JDE types and widths, keys and indexes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Kind = Literal["text", "right", "date", "time", "number", "amount"]

DICTIONARY_DECIMALS = 2  # J040: amounts without a governing currency, and aggregated amounts


@dataclass(frozen=True, slots=True)
class Column:
    """One column under its alias (no prefix).

    `text` is left-justified, `right` right-justified with leading blanks (MCU); `date` is an
    integer CYYDDD, `time` hhmmss; `number` an integer scaled by `decimals`; `amount` an integer
    scaled by the decimals of the row's governing currency.
    """

    alias: str
    kind: Kind
    width: int
    decimals: int
    title: str

    @property
    def is_text(self) -> bool:
        """Whether SQLite keeps it as TEXT (trailing blanks off, leading blanks kept)."""
        return self.kind in ("text", "right")


@dataclass(frozen=True, slots=True)
class Table:
    """One JDE table: name, description, columns in table order, primary key, further indexes.

    A business view says which table owns its columns: `of` (J133).
    """

    name: str
    title: str
    columns: MappingProxyType[str, Column]
    key: tuple[str, ...]
    indexes: tuple[tuple[str, ...], ...]
    of: str = ""

    @property
    def owner(self) -> str:
        """The table by which columns are named."""
        return self.of or self.name

    def ddl(self) -> list[str]:
        """CREATE statements; every column has a default, so inserts name only what matters."""
        if self.of:
            names = _names(("rowid", *self.columns))
            rows = f'SELECT {names} FROM "{self.of}"'  # noqa: S608 - our own names
            return [f'CREATE VIEW IF NOT EXISTS "{self.name}" AS {rows}']
        lines = [
            f'"{c.alias}" {"TEXT" if c.is_text else "INTEGER"} NOT NULL DEFAULT '
            f"{chr(39) * 2 if c.is_text else 0}"
            for c in self.columns.values()
        ]
        lines.append(f"PRIMARY KEY ({_names(self.key)})")
        made = [f'CREATE TABLE IF NOT EXISTS "{self.name}" ({", ".join(lines)})']
        for number, index in enumerate(self.indexes, 1):
            made.append(
                f'CREATE INDEX IF NOT EXISTS "{self.name}_{number}" '
                f'ON "{self.name}" ({_names(index)})'
            )
        return made


def _names(aliases: tuple[str, ...]) -> str:
    return ", ".join(f'"{alias}"' for alias in aliases)


_TYPE = re.compile(r"([CRN])(\d+)(?:\.(\d))?|[AJT]")
_RANGE = re.compile(r"(\w*?)(\d+)(\w*)\.\.(\w*?)(\d+)(\w*)")


def _expand(name: str) -> Iterator[tuple[str, str]]:
    """`RP01..RP20` → (RP01, " 01"), …; a plain alias stands for itself."""
    found = _RANGE.fullmatch(name)
    if not found:
        yield name, ""
        return
    stem, first, tail, _, last, _ = found.groups()
    for number in range(int(first), int(last) + 1):
        digits = f"{number:0{len(first)}d}"
        yield f"{stem}{digits}{tail}", f" {digits}"


def _columns(text: str) -> MappingProxyType[str, Column]:
    """Columns from `ALIAS TYPE title; …`: C12 text, R12 right-justified, N8.0 number,
    A amount, J date, T time."""
    made: dict[str, Column] = {}
    for item in filter(None, (part.strip() for part in text.replace("\n", " ").split(";"))):
        name, kind, *title = item.split(maxsplit=2)
        found = _TYPE.fullmatch(kind)
        if not found:
            raise ValueError(f"not a column type: {item}")
        for alias, suffix in _expand(name):
            made[alias] = _column(alias, kind, found, (title[0] if title else alias) + suffix)
    return MappingProxyType(made)


def _column(alias: str, kind: str, found: re.Match[str], title: str) -> Column:
    if kind == "A":
        return Column(alias, "amount", 15, DICTIONARY_DECIMALS, title)
    if kind in ("J", "T"):
        return Column(alias, "date" if kind == "J" else "time", 6, 0, title)
    width, decimals = int(found[2]), int(found[3] or 0)
    names: dict[str, Kind] = {"C": "text", "R": "right", "N": "number"}
    return Column(alias, names[found[1]], width, decimals, title)


_AUDIT = """; USER C10 User ID; PID C10 Program ID; JOBN C10 Work Station ID;
UPMJ J Date Updated; UPMT T Time Last Updated"""

_F0911 = """
KCO C5 Document Company; DCT C2 Document Type; DOC N8 Document Number; DGJ J G/L Date;
JELN N7 Line Number; EXTL C2 Line Extension Code; POST C1 G/L Posted Code; ICU N8 Batch Number;
ICUT C2 Batch Type; DICJ J Batch Date; DSYJ J System Date; TICU T Batch Time; CO C5 Company;
ANI C29 Account Number; AM C1 Account Mode; AID C8 Account ID; MCU R12 Business Unit;
OBJ C6 Object Account; SUB C8 Subsidiary; SBL C8 Subledger; SBLT C1 Subledger Type;
LT C2 Ledger Type; PN N2 Period Number; CTRY N2 Century; FY N2 Fiscal Year;
FQ C4 Fiscal Quarter; CRCD C3 Currency Code; CRR N15 Exchange Rate;
HCRR N15 Historical Exchange Rate; HDGJ J Historical Date; AA A Amount; U N15.2 Units;
UM C2 Unit of Measure; GLC C4 G/L Offset; RE C1 Reverse or Void; EXA C30 Explanation Alpha Name;
EXR C30 Explanation Remark; R1 C8 Reference 1; R2 C8 Reference 2;
R3 C8 Account Reconciliation; SFX C3 Pay Item; ODOC N8 Original Document;
ODCT C2 Original Document Type; OSFX C3 Original Pay Item; PKCO C5 Purchase Order Company;
OKCO C5 Original Document Company; PDCT C2 Purchase Order Document Type; AN8 N8 Address Number;
CN C8 Payment Number; DKJ J Check Date; DKC J Date Check Cleared; ASID C25 Serial Number;
BRE C1 Batch Rear End Posted Code; RCND C1 Reconciled Code; SUMM C1 Summarized Code;
PRGE C1 Purge Code; TNN C1 Tenant Flag; ALT0..ALT9 C1 Status Flag; ALTT C1 Status Flag T;
ALTU C1 Status Flag U; ALTV C1 Status Flag V; ALTW C1 Status Flag W; ALTX C1 Status Flag X;
ALTZ C1 Status Flag Z; DLNA C1 Delete Not Allowed; CFF1 C1 Client Free Form Flag 1;
CFF2 C1 Client Free Form Flag 2; ASM C1 Lease Cost Ledger Posted Code; BC C1 Billable;
VINV C25 Supplier Invoice Number; IVD J Invoice Date; WR01 C4 Phase; PO C8 Purchase Order;
PSFX C3 Purchase Order Suffix; DCTO C2 Order Type; LNID N6.3 Line Number of Order;
WY N2 Week of Year; WN N2 Week Number; OPSQ N5.2 Sequence Number; JBCD C6 Job Type;
JBST C4 Job Step; HMCU R12 Home Business Unit; DOI N2 Day of Month;
ALID C25 Asset or License ID; ALTY C2 Asset or License Type; DSVJ J Service/Tax Date;
TORG C10 Transaction Originator; REG# N3 Registration Number; PYID N15 Internal Payment ID;
USER C10 User ID; PID C10 Program ID; JOBN C10 Work Station ID; UPMJ J Date Updated;
UPMT T Time Last Updated; CRRM C1 Currency Mode; ACR A Foreign Amount; BCRC C3 Base Currency;
ABR1..ABR4 C12 Managerial Analysis Code; ABT1..ABT4 C1 Managerial Analysis Type;
PM01..PM10 C1 Post Flag; ITM N8 Item Number; TXA1 C10 Tax Rate/Area; EXR1 C2 Tax Explanation;
TXITM N8 Taxable Item; ACTB C10 Activity-Based Costing Code; AHBU R12 Header Business Unit;
EPGC C3 Expense Group; JPGC C3 Joint Venture Group; RC5 N3 Record Count; SFXE N7 Suffix;
DLNID N6.3 Delivery Line; CKNU C25 Check Number; GPF1 C1 Generic Post Flag 1;
PRGF C1 Purge Flag; BUPC C1 Burden Posted Code; OFM C1 Offset Method
"""

# The journal batch-input file: the keys and marks of the exchange, and the columns of F0911.
_F0911Z1 = (
    """
EDUS C10 EDI User ID; EDTY C1 EDI Record Type; EDSQ N2 EDI Record Sequence;
EDTN C22 EDI Transaction Number; EDCT C2 EDI Document Type; EDLN N7 EDI Line Number;
EDTS C6 EDI Transaction Set; EDFT C10 EDI Translation Format; EDDT J EDI Transmission Date;
EDER C1 EDI Send/Receive; EDDL N5 EDI Detail Lines; EDSP C1 EDI Successfully Processed;
EDTC C1 EDI Transaction Action; EDTR C1 EDI Transaction Type; EDBT C15 EDI Batch Number;
EDGL C1 EDI Create G/L; EDAN N8 EDI Address Number; DGM N2 G/L Date Month; DGD N2 G/L Date Day;
DGY N2 G/L Date Year; DG# N2 G/L Date Century;"""
    + _F0911
)

_F0902 = (
    """
AID C8 Account ID; CTRY N2 Century; FY N2 Fiscal Year; FQ C4 Fiscal Quarter; LT C2 Ledger Type;
SBL C8 Subledger; CO C5 Company; APYC A Balance Forward; AN01..AN14 A Net Posting;
APYN A Prior Year Net Posting; AWTD A Amount Week to Date; BORG A Final Budget;
POU N5.2 Percent Use; PC N5.2 Percent Complete; TKER N5.2 To Be Capitalized;
BREQ A Requested Budget; BAPR A Approved Budget; MCU R12 Business Unit; OBJ C6 Object Account;
SUB C8 Subsidiary; SBLT C1 Subledger Type; CRCD C3 Currency Code; CRCX C3 Denominated In;
PRGF C1 Purge Flag; AND01..AND14 A Net Debit Posting"""
    + _AUDIT
)

_F0901 = (
    """
CO C5 Company; AID C8 Account ID; MCU R12 Business Unit; OBJ C6 Object Account;
SUB C8 Subsidiary; ANS C25 Third Account Number; DL01 C30 Description; LDA C1 Level of Detail;
BPC C3 Budget Pattern Code; PEC C1 Posting Edit; BILL C1 Billable; CRCD C3 Currency Code;
UM C2 Unit of Measure; R001..R020 C3 Category Code; R021..R043 C10 Category Code;
OBJA C6 Alternate Object; SUBA C8 Alternate Subsidiary; WCMP C4 Workers Comp Code;
CCT C1 Cost Code Type; ERC C2 Equipment Rate Code; HTC C1 Header Type Code;
QLDA C1 Quantity Roll Up Level; CCC C1 Cost Code Complete; FMOD C1 Model Account;
CEC1..CEC4 C1 Cost Edit Code; IEC C1 Inventory Edit Code; FPEC C1 Fixed Posting Edit Code;
STPC C1 Statement Posting Code; TXGL C1 Taxable; TOBJ C6 Target Object; TSUB C8 Target Subsidiary;
TXA1 C10 Tax Rate/Area; PRGF C1 Purge Flag; ADJENT C1 Adjustment Entry Only;
UAFL C1 Unallocated Flag"""
    + _AUDIT
)

_F0006 = (
    """
MCU R12 Business Unit; STYL C2 Type Business Unit; DC C40 Compressed Description;
LDM C1 Level of Detail; CO C5 Company; AN8 N8 Address Number; AN8O N8 Owner Address;
FMOD C1 Model/Consolidated; DL01..DL04 C30 Description; RP01..RP20 C3 Category Code;
RP21..RP50 C10 Category Code; PECC C1 Posting Edit; PC N5.2 Percent Complete;
PCA N5.2 Percent Complete Aggregate; PCC N5.2 Percent Complete Cost; D1J..D6J J Planned Date;
MCUS R12 Subsequent Business Unit; BPTP C2 Branch Type; APSB C1 AP Self-Billing;
TSBU R12 Target Business Unit; RMCU1 R12 Related Business Unit"""
    + _AUDIT
)

_F0010 = (
    """
CO C5 Company; NAME C30 Name; ALTC C5 Alternate Company; DFYJ J Date Fiscal Year Begins;
PNC N2 Period Number Current; CRYR C1 Multi-Currency Conversion; CRYC C1 Currency Translation;
MCUA R12 Business Unit A; MCUB R12 Business Unit B; MCUC R12 Business Unit C;
MCUD R12 Business Unit D; PNF N2 Period Number Financial Reports;
DFF J Date Financial Reports Year Begins; CRCD C3 Currency Code; NNP N2 Normal Number of Periods;
DTPN C1 Date Pattern; ARPN N2 AR Period; ARFJ J AR Fiscal Year Begins; APPN N2 AP Period;
APFJ J AP Fiscal Year Begins; AN8 N8 Address Number; BKTX C1 Book to Tax; X1 C1 Flag 1;
X2 C1 Flag 2"""
    + _AUDIT
)

_F0008 = (
    """
DTPN C1 Date Pattern; FQ C4 Fiscal Quarter; DFYJ J Date Fiscal Year Begins; CTRY N2 Century;
FY N2 Fiscal Year; D01J..D14J J End Date Period; PNT C1 Date Pattern Type"""
    + _AUDIT
)

_F0011 = (
    """
ICUT C2 Batch Type; ICU N8 Batch Number; IST C1 Batch Status; IAPP C1 Approved for Posting;
AICU A Amount Entered; NDO N5 Documents Entered; AME A Amount Computed; DOCN N5 Document Count;
BAL C1 Batch in Balance; BALJ C1 Batch in Balance Journal; POB C1 Post Out of Balance;
IBOI C1 Include Batch on Integrity Report; AUSR C10 Approved By; DICJ J Batch Date;
OFFP C1 Offset Method; AIPT C1 Intercompany Settlement; DRSP C1 Detailed Restatement Status;
52PP C1 52 Period Status; CBP C1 Cash Basis Status"""
    + _AUDIT
)

_F0009 = (
    """
SY C4 Product Code; ICRG C1 Batch Control Required; IARG C1 Manager Approval of Input;
PBCO C1 Allow PBCO Postings; ALIA C1 Allow Invalid Accounts; SYMS C1 Symbol Short ID;
SYML C1 Symbol Business Unit; SYMU C1 Symbol Third Number; ICO C1 Intercompany Settlements;
MCS C1 Multi-Currency; SEP C1 Account Separator"""
    + _AUDIT
)

_F0012 = (
    """
ITEM C6 AAI Item; SEQN N5.2 Sequence; CO C5 Company; MCU R12 Business Unit;
OBJ C6 Object Account; SUB C8 Subsidiary; DL01..DL05 C30 Description; SY C4 System Code"""
    + _AUDIT
)

_F0005 = (
    """
SY C4 Product Code; RT C2 User Defined Codes; KY R10 Codes; DL01 C30 Description;
DL02 C30 Description 2; SPHD C10 Special Handling; UDCO C1 User Defined Code Ownership;
HRDC C1 Hard Coded"""
    + _AUDIT
)

_F0013 = "CRCD C3 Currency Code; DL01 C30 Description; CDEC C1 Decimals; CKR C1 Check Routine"

_F0025 = (
    """
LT C2 Ledger Type; DL01 C30 Description; ULT C2 Units Ledger; FRE C1 Close to Retained Earnings;
FLRB C1 Ledger Required to Balance; FISL C1 Create Intercompany Settlements;
FRL C2 Restatement Target; CRCX C3 Denominated In; FDNS C1 Do Not Summarize;
FDBU C1 Budget Ledger; FROB C1 Roll Over Balance; FBL C1 Balance Ledger; LTCF C2 Ledger Cash Flow;
GLGA C1 General Accounting; RNDR C3 Rounding; ODPN C1 Out of Date Period; NNPO C1 No Post"""
    + _AUDIT
)

_F0411 = (
    """
KCO C5 Document Company; DOC N8 Document Number; DCT C2 Document Type; SFX C3 Pay Item;
SFXE N7 Pay Item Extension; DCTA C2 Adjusting Document Type; AN8 N8 Address Number;
PYE N8 Payee Address; SNTO N8 Second Payee; DIVJ J Invoice Date; DSVJ J Service/Tax Date;
DDJ J Due Date; DDNJ J Discount Due Date; DGJ J G/L Date; FY N2 Fiscal Year; CTRY N2 Century;
PN N2 Period Number; CO C5 Company; ICU N8 Batch Number; ICUT C2 Batch Type; DICJ J Batch Date;
BALJ C1 Balanced; PST C1 Pay Status; AG A Gross Amount; AAP A Open Amount;
ADSC A Discount Available; ADSA A Discount Taken; ATXA A Taxable Amount; ATXN A Non-Taxable Amount;
STAM A Tax Amount; TXA1 C10 Tax Rate/Area; EXR1 C2 Tax Explanation; CRRM C1 Currency Mode;
CRCD C3 Currency Code; CRR N15 Exchange Rate; ACR A Foreign Amount; FAP A Foreign Open Amount;
GLC C4 G/L Offset; GLBA C8 Bank Account; POST C1 G/L Posted Code; AM C1 Account Mode;
AID2 C8 Account ID; MCU R12 Business Unit; OBJ C6 Object Account; SUB C8 Subsidiary;
SBLT C1 Subledger Type; SBL C8 Subledger; BAID C8 Business Account; PTC C3 Payment Terms;
VOD C1 Void Flag; OKCO C5 Original Document Company; ODCT C2 Original Document Type;
ODOC N8 Original Document; OSFX C3 Original Pay Item; CRC C3 Currency Code Base;
VINV C25 Supplier Invoice Number; PKCO C5 Purchase Order Company; PO C8 Purchase Order;
PDCT C2 Purchase Order Type; LNID N6.3 Line Number of Order; RMK C30 Remark; U N15.2 Units;
UM C2 Unit of Measure; PYIN C1 Payment Instrument; TORG C10 Transaction Originator;
BCRC C3 Base Currency"""
    + _AUDIT
)


def _table(name: str, title: str, columns: str, key: str, *indexes: str) -> Table:
    table = Table(
        name,
        title,
        _columns(columns),
        tuple(key.split()),
        tuple(tuple(i.split()) for i in indexes),
    )
    unknown = {a for index in (table.key, *table.indexes) for a in index} - set(table.columns)
    if unknown:
        raise ValueError(f"{name}: no such columns {sorted(unknown)}")
    return table


def _view(name: str, title: str, of: Table, aliases: str) -> Table:
    """A business view of some columns of one table."""
    columns = {alias: of.columns[alias] for alias in aliases.split()}
    return Table(name, title, MappingProxyType(columns), of.key, (), of.name)


TABLES: MappingProxyType[str, Table] = MappingProxyType(
    {
        table.name: table
        for table in (
            _table(
                "F0911", "Account Ledger", _F0911, "DCT DOC KCO DGJ JELN LT EXTL",
                "POST AID LT CTRY FY PN", "ICUT ICU", "UPMJ UPMT", "CO LT CTRY FY PN", "R2", "DGJ",
            ),
            _table(
                "F0902", "Account Balances", _F0902, "AID CTRY FY FQ LT SBL SBLT CRCD",
                "CTRY FY LT CO MCU OBJ SUB SBLT SBL AID", "CO LT CTRY FY",
            ),
            _table(
                "F0411", "Accounts Payable Ledger", _F0411, "DOC DCT KCO SFX SFXE",  # J131
                "AN8 DDJ", "ICUT ICU", "CO PST",
            ),
            _table("F0901", "Account Master", _F0901, "AID", "MCU OBJ SUB", "CO OBJ SUB MCU"),
            _table("F0005", "User Defined Code Values", _F0005, "SY RT KY"),
            _table("F0006", "Business Unit Master", _F0006, "MCU", "CO", "STYL CO"),
            _table("F0009", "General Constants", _F0009, "SY"),  # J132
            _table("F0010", "Company Constants", _F0010, "CO"),
            _table("F0008", "Date Fiscal Patterns", _F0008, "DTPN DFYJ FQ"),
            _table("F0011", "Batch Control Records", _F0011, "ICUT ICU", "UPMJ"),
            _table("F0012", "Automatic Accounting Instructions", _F0012, "ITEM CO"),
            _table("F0013", "Currency Codes", _F0013 + _AUDIT, "CRCD"),
            _table("F0025", "Ledger Type Master", _F0025, "LT"),
            _table(
                "F0911Z1", "Journal Entry Transactions - Batch File", _F0911Z1,
                "EDUS EDBT EDTN EDLN", "EDSP EDUS EDBT", "ICUT ICU",
            ),
        )
    }
)  # fmt: skip
TABLES = MappingProxyType(
    {
        **TABLES,
        "V0411A": _view(
            "V0411A", "Accounts Payable Ledger View", TABLES["F0411"],
            "DOC DCT KCO SFX SFXE CO AN8 VINV DIVJ DDJ PST POST CRCD AG AAP ACR FAP MCU",
        ),
    }
)  # fmt: skip
