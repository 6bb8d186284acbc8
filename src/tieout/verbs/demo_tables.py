"""Two flows of the demo that load tables beside the ledger: F0902 balances, F0411 open payables."""

from __future__ import annotations

PERIODS = range(1, 15)
_NET = "\n".join(f'AN{n:02} = "amount of ledger"' for n in PERIODS)
_COLUMNS = "\n".join(f'"Period {n}" = "AN{n:02}"' for n in PERIODS)

BALANCES = f"""
[flows.balances]
kind = "load_table"
table = "F0902"
from = "erp"
to = "planning"
import = "Load Account Balances"
key = ["AID", "CTRY", "FY", "FQ", "LT", "SBL", "SBLT", "CRCD"]
where = [
  {{ field = "LT", is = ["AA"] }},
  {{ field = "CO", is = ["00001", "00060", "00070", "00090", "00200"] }},
  {{ field = "fiscal_year", is = [2024, 2025] }},
]
identify = ["Company", "Account", "Cost Center", "Fiscal Year"]
maps = {{ "Company" = "company", "Account" = "account", "Cost Center" = "business_unit" }}
[flows.balances.read_back]
view = "Account Balances"
[flows.balances.read_back.dimensions]
"Company" = "Companies"
"Account" = "GL Accounts"
"Cost Center" = "Cost Centers"
"Fiscal Year" = "Fiscal Years"
[flows.balances.fields]
AID = "text"
CTRY = "whole"
FY = "whole"
FQ = "text"
LT = "code"
SBL = "text"
SBLT = "code"
CRCD = "code"
CRCX = "code"
CO = "text"
MCU = "code 12"
OBJ = "code"
SUB = "code"
APYC = "amount of ledger"
{_NET}
[flows.balances.columns]
"Company" = "CO"
"Account" = "OBJ.SUB"
"Cost Center" = "MCU"
"Fiscal Year" = "fiscal_year"
"Opening" = "APYC"
{_COLUMNS}
"""

PAYABLES = """
[flows.payables]
kind = "load_table"
table = "F0411"
from = "erp"
to = "planning"
import = "Load Open Payables"
key = ["DOC", "DCT", "KCO", "SFX", "SFXE"]
where = [
  { field = "POST", is = ["D"] },
  { field = "AAP", is_not = [0] },
]
identify = ["Code"]
read_back = { list = "Open Payables" }
[flows.payables.fields]
DOC = "whole"
DCT = "code"
KCO = "text"
SFX = "text"
SFXE = "whole"
CO = "text"
AN8 = "whole"
VINV = "text"
DIVJ = "date"
DDJ = "date"
PST = "code"
POST = "code"
CRCD = "code"
AAP = "amount of company"
FAP = "amount of CRCD"
[flows.payables.columns]
"Code" = "KCO-DCT-DOC-SFX-SFXE"
"Company" = "CO"
"Supplier" = "AN8"
"Invoice" = "VINV"
"Invoice Date" = "DIVJ"
"Due Date" = "DDJ"
"Pay Status" = "PST"
"Currency" = "CRCD"
"Open Amount" = "AAP"
"Open Foreign" = "FAP"
"""
