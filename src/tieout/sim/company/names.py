"""Companies, business units and natural accounts of the demo company, as tables of plain words."""

from __future__ import annotations

# code, name, currency, decimals, fiscal date pattern, current fiscal year and period, balance unit
COMPANIES = (
    ("00001", "Ridgeline Manufacturing Inc", "USD", 2, "R", 2025, 12, "1"),
    ("00060", "Ridgeline Components LLC", "USD", 2, "A", 2025, 12, "60"),
    ("00070", "Ridgeline Japan KK", "JPY", 0, "R", 2025, 12, "70"),
    ("00090", "Ridgeline Gulf W.L.L.", "KWD", 3, "B", 2025, 3, "90"),
    ("00200", "Ridgeline Europe GmbH", "EUR", 2, "C", 2025, 12, "200"),
)
TROUBLE_COMPANY = ("00900", "Ridgeline Conversion Test Co", "USD", 2, "R", 2025, 12, "900")

# company, code, name, what it does (balance, sales, plant, staff, or a purpose of its own)
UNITS = (
    ("00001", "1", "Ridgeline Manufacturing balance sheet", "balance"),
    ("00001", "10", "Sales North", "sales"),
    ("00001", "11", "Sales South", "sales"),
    ("00001", "12", "Sales Export", "sales"),
    ("00001", "15", "Marketing", "staff"),
    ("00001", "20", "Procurement", "staff"),
    ("00001", "25", "Warehouse Dayton", "plant"),
    ("00001", "30", "Plant Dayton, machining", "plant"),
    ("00001", "31", "Plant Dayton, assembly", "plant"),
    ("00001", "32", "Plant Toledo, paint", "plant"),
    ("00001", "33", "Tool shop", "plant"),
    ("00001", "34", "Maintenance", "plant"),
    ("00001", "35", "Quality", "plant"),
    ("00001", "36", "Engineering", "staff"),
    ("00001", "40", "Plant Lima (closed)", "closed"),
    ("00001", "45", "Facilities allocation", "allocation"),
    ("00001", "50", "Finance", "staff"),
    ("00001", "51", "Human resources", "staff"),
    ("00001", "52", "Information technology", "staff"),
    ("00001", "53", "Legal and compliance", "staff"),
    ("00001", "55", "Executive office", "staff"),
    ("00001", "M30", "Plant Dayton, legacy line", "legacy"),
    ("00001", "J77", "Line 7 rebuild (job)", "job"),
    ("00060", "60", "Components balance sheet", "balance"),
    ("00060", "61", "Components sales", "sales"),
    ("00060", "62", "Aftermarket sales", "sales"),
    ("00060", "63", "Foundry", "plant"),
    ("00060", "64", "Turning", "plant"),
    ("00060", "65", "Heat treatment", "plant"),
    ("00060", "66", "Components quality", "plant"),
    ("00060", "67", "Components warehouse", "plant"),
    ("00060", "68", "Components administration", "staff"),
    ("00060", "69", "Components engineering", "staff"),
    ("00060", "60A", "Components purchasing", "staff"),
    ("00060", "60Z", "Components allocation", "allocation"),
    ("00070", "70", "Japan balance sheet", "balance"),
    ("00070", "71", "Sales Tokyo", "sales"),
    ("00070", "72", "Sales Osaka", "sales"),
    ("00070", "73", "Service centre Nagoya", "plant"),
    ("00070", "74", "Japan administration", "staff"),
    ("00070", "75", "Japan logistics", "plant"),
    ("00090", "90", "Gulf balance sheet", "balance"),
    ("00090", "91", "Sales Kuwait", "sales"),
    ("00090", "92", "Sales Gulf export", "sales"),
    ("00090", "93", "Service yard Shuaiba", "plant"),
    ("00090", "94", "Gulf administration", "staff"),
    ("00090", "95", "Gulf logistics", "plant"),
    ("00200", "200", "Europe balance sheet", "balance"),
    ("00200", "201", "Vertrieb Deutschland", "sales"),
    ("00200", "202", "Ventes France", "sales"),
    ("00200", "203", "Vendite Italia", "sales"),
    ("00200", "204", "Werk Kassel, Montage", "plant"),
    ("00200", "205", "Werk Kassel, Prüfung", "plant"),
    ("00200", "206", "Lager Kassel", "plant"),
    ("00200", "207", "Verwaltung", "staff"),
    ("00200", "208", "Einkauf", "staff"),
    ("00200", "209", "Entwicklung", "staff"),
    ("00200", "210", "Umlage Gebäude", "allocation"),
    ("00200", "211", "Kundendienst", "plant"),
    ("00200", "E01", "Euro service hub", "staff"),
)
TROUBLE_UNITS = (
    ("00900", "900", "Conversion test balance sheet", "balance"),
    ("00900", "901", "Conversion test sales", "sales"),
    ("00900", "902", "Conversion test plant", "plant"),
)

# What a business unit is good for → type (F0006.STYL, UDC 00/MC). `JB` is outside the usual filter.
STYLES = {
    "balance": "IS", "sales": "CC", "plant": "CC", "staff": "CC", "allocation": "CC",
    "legacy": "CC", "closed": "CC", "job": "JB",
}  # fmt: skip

# Category code 1 (F0901.R001, UDC 09/01): the reporting roll-up of an account.
CATEGORIES = {
    "CSH": "Cash and banks", "REC": "Receivables", "INV": "Inventories", "ICO": "Intercompany",
    "FXA": "Fixed assets", "LIA": "Liabilities", "EQU": "Equity", "REV": "Revenue",
    "COG": "Cost of goods sold", "PAY": "Payroll", "MFG": "Manufacturing overhead",
    "OPX": "Operating expense", "OTI": "Other income", "TRV": "Travel and other expense",
    "STA": "Statistics and clearing", "HDR": "Headings",
}  # fmt: skip

# category, first object, step, names of the objects
OBJECTS = (
    ("CSH", 1110, 5, "Operating account|Payroll account|Petty cash|Deposits|Cash in transit"),
    ("REC", 1210, 5, "Trade receivables|Allowance for bad debt|Employee advances|Supplier refunds"
     "|Notes receivable|Sales tax receivable|Prepaid insurance|Prepaid rent|Prepaid software"),
    ("ICO", 1291, 1, "Due from and to affiliates|Affiliate loans"),
    ("INV", 1310, 10, "Raw material|Bought components|Work in process|Finished goods"
     "|Spare parts|Packaging|Goods in transit|Consigned stock|Inventory reserve"),
    ("FXA", 1510, 10, "Land|Buildings|Machinery|Tooling|Vehicles|Office equipment|IT equipment"
     "|Construction in progress|Leasehold improvements"),
    ("FXA", 1610, 10, "Depreciation buildings|Depreciation machinery|Depreciation tooling"
     "|Depreciation vehicles|Depreciation office|Depreciation IT"),
    ("LIA", 2110, 5, "Trade payables|Received not vouchered|Wages payable|Payroll tax payable"
     "|Pension payable|Health plan payable|Sales tax payable|Income tax payable|Accrued utilities"
     "|Accrued freight|Accrued bonus|Accrued vacation|Warranty reserve|Customer deposits"
     "|Deferred revenue|Accrued audit|Accrued interest"),
    ("LIA", 2510, 10, "Revolving credit|Term loan|Lease obligations|Pension obligation"),
    ("EQU", 3100, 100, "Common stock|Paid-in capital|Dividends|Retained earnings"
     "|Translation adjustment"),
    ("REV", 4010, 10, "Pumps|Valves|Compressors|Actuators|Seals|Fittings|Controls|Castings"
     "|Machined parts|Repair kits|Service contracts|Field service|Training|Freight billed"
     "|Tooling billed|Software licences|Rental|Scrap sales"),
    ("REV", 4810, 10, "Discounts|Rebates|Returns|Price differences|Intercompany sales"),
    ("COG", 5005, 5, "Material pumps|Material valves|Material compressors|Material actuators"
     "|Material seals|Material fittings|Material controls|Material castings|Material parts"
     "|Material kits|Subcontract machining|Subcontract coating|Subcontract assembly|Inbound freight"
     "|Customs duty|Purchase price variance|Material usage variance|Labour variance"
     "|Overhead variance|Scrap|Rework|Cycle count differences|Obsolescence|Royalties"
     "|Intercompany cost of sales|Warranty cost"),
    ("PAY", 6010, 10, "Salaries|Hourly wages|Overtime|Shift premium|Bonus|Commissions|Vacation pay"
     "|Sick pay|Severance|Temporary staff|Payroll taxes|Pension cost|Health plan|Workers insurance"
     "|Training of staff|Recruiting|Relocation|Work clothes|Canteen"),
    ("MFG", 6410, 10, "Electricity|Natural gas|Water|Compressed air|Machine repair|Machine spares"
     "|Consumable tools|Lubricants|Gauges|Calibration|Waste disposal|Safety|Cleaning|Forklifts"
     "|Packaging material|Depreciation charge machinery|Depreciation charge buildings"
     "|Depreciation charge tooling|Equipment leases|Outside inspection"),
    ("OPX", 7010, 10, "Rent|Property tax|Insurance|Security|Telephone|Data lines|Software|Hosting"
     "|Hardware below limit|Consultants|Audit fees|Legal fees|Patents|Bank charges|Postage"
     "|Office supplies|Printing|Memberships|Advertising|Trade fairs|Samples|Market research"
     "|Web site|Outbound freight|Courier|Donations|Licences and permits|Vehicle leases|Fuel"
     "|Vehicle repair|Building repair|Landscaping|Depreciation charge office|Depreciation charge IT"
     "|Bad debt expense|Allocated facilities|Facilities allocated out"),
    ("OTI", 8010, 10, "Interest income|Gain on disposal|Insurance recovery|Licence income"
     "|Exchange gain realised|Exchange gain unrealised|Government grants|Sundry income"),
    ("TRV", 8510, 10, "Interest expense|Lease interest|Loss on disposal|Exchange loss realised"
     "|Exchange loss unrealised|Income tax current|Income tax deferred|Penalties"),
    ("TRV", 8740, 1, "Travel and entertainment|Travel advances charged"),
    ("TRV", 8750, 10, "Conferences|Gifts|Mileage|Hospitality"),
    ("HDR", 1000, 1000, "ASSETS|LIABILITIES|EQUITY|REVENUE|COST OF GOODS SOLD|PAYROLL AND PLANT"
     "|OPERATING EXPENSE|OTHER INCOME AND EXPENSE"),
    ("STA", 9000, 100, "Budget only, headcount plan|Units, pieces made|Inactive clearing"
     "|Not for posting|Sundry clearing"),
    ("MFG", 456, 333, "Legacy line labour|Legacy line material"),
)  # fmt: skip

# object → its subsidiaries; `-` is the bare object
SUBSIDIARIES = {
    "1110": "BEAR CHASE EUROBANK GULF MIZUHO", "1210": "- OEM DIST EXPORT",
    "1240": "- OEM", "1310": "STEEL BRASS ALLOY POLYMER", "1320": "- DOM IMP",
    "1330": "- LINE1 LINE2", "1360": "- BOX PALLET", "1380": "- OEM DIST", "1520": "- LAND HALL",
    "1540": "- DIES MOULDS", "1610": "- LAND HALL", "2120": "- SALARY HOURLY",
    "2125": "- FICA FUTA", "2150": "- POWER GAS WATER", "2160": "- MGMT STAFF",
    "2170": "- US EU", "2175": "- OEM DIST",
    "1340": "PUMPS VALVES OTHER", "1530": "LATHES MILLS PRESSES", "1620": "LATHES MILLS PRESSES",
    "2110": "- FOREIGN", "2115": "- DOM IMP", "2510": "A B", "2520": "A B",
    "4010": "- OEM DIST EXPORT", "4020": "- OEM DIST EXPORT", "4030": "- OEM DIST EXPORT",
    "4040": "- OEM DIST EXPORT", "4050": "- OEM DIST", "4060": "- OEM DIST",
    "4070": "- OEM DIST", "4080": "- OEM DIST", "4090": "- OEM DIST", "4100": "- OEM DIST",
    "4110": "- GOLD SILVER", "4120": "- DAY HOUR", "4810": "- OEM DIST", "4820": "- OEM DIST",
    "4130": "- NORTH SOUTH", "4140": "- NORTH SOUTH", "4150": "- OEM DIST", "4170": "- DAY MONTH",
    "4180": "STEEL BRASS", "4830": "- OEM DIST", "4850": "- US EU ASIA",
    "5045": "- DOM IMP", "5050": "- DOM IMP", "5055": "- LOCAL ABROAD", "5080": "- STEEL BRASS",
    "5100": "- STEEL BRASS",
    "5105": "- LINE1 LINE2", "5125": "- US EU ASIA", "5130": "- PARTS LABOUR",
    "5010": "- DOM IMP", "5015": "- DOM IMP", "5020": "- DOM IMP", "5025": "- DOM IMP",
    "5030": "- DOM IMP", "5035": "- DOM IMP", "5040": "- DOM IMP", "5070": "- SEA ROAD",
    "6010": "- MGMT ADMIN", "6020": "- SHIFT1 SHIFT2 SHIFT3", "6030": "- SHIFT1 SHIFT2 SHIFT3",
    "6050": "- MGMT", "6070": "- MGMT SHOP", "6080": "- MGMT SHOP",
    "6110": "- FICA FUTA SUTA", "6130": "- MED DENT VIS",
    "6060": "- DIRECT AGENT", "6100": "- SHOP OFFICE", "6150": "- SKILLS SAFETY",
    "6160": "- ADS AGENCY",
    "6470": "- CUT GRIND", "6540": "- LEASE FUEL", "6550": "- BOX PALLET",
    "6560": "- LINE1 LINE2",
    "6590": "- LIFT CRANE",
    "6410": "- BASE PEAK", "6420": "- HEAT PROCESS", "6450": "- INHOUSE VENDOR",
    "6460": "- INHOUSE VENDOR", "6510": "- HAZARD", "6530": "- OFFICE SHOP",
    "7010": "- LAND HALL OFFICE", "7030": "- FIRE CARGO LIAB", "7070": "- ERP CAD OFFICE",
    "7100": "- IT TAX HR", "7120": "- PATENT LABOUR", "7140": "- WIRE CARD",
    "7050": "- FIXED MOBILE", "7060": "- WAN LAN", "7080": "- PROD TEST", "7090": "- DESK PHONE",
    "7110": "- GROUP LOCAL", "7160": "- PAPER OTHER", "7210": "- DEMO GIFT",
    "7270": "- CITY STATE", "7300": "- CAR TRUCK", "7310": "- HALL OFFICE",
    "7190": "- PRINT ONLINE", "7200": "- NORTH EUROPE ASIA", "7240": "- AIR SEA ROAD",
    "7280": "- CAR TRUCK", "8740": "- AIR HOTEL MEALS TRAVEL CAR", "8750": "- INT EXT",
}  # fmt: skip
