"""The addresses of every page of a demo home in which something is wrong (`browsed.desk`)."""

from __future__ import annotations

from tieout.web.routes import ADDRESSES

# What stands in a path → one of these; an address whose part is not here is looked at elsewhere.
PARTS = {
    "run": "actuals-1", "flow": "actuals", "journal": "plan-2-batch.1", "entry": "1",
    "user": "pat", "reject": "1", "batch": "plan-2-batch", "connection": "erp", "version": "1",
}  # fmt: skip
NO_PAGES = (
    "/runs/{run}/live", "/evidence/{pack}", "/login", "/setup", "/mappings/table.csv",
    "/mappings/table.xlsx",
)  # fmt: skip
WITH_QUERIES = (
    "/mappings/new?dimension=business_unit&source=J77&q=30", "/rejects?by=owner&rule=nothing",
    "/mappings/code?dimension=business_unit&source=J77", "/approvals?all=yes",
    "/runs?flow=actuals", "/runs?outcome=failed", "/records?account=5110", "/records?q=nothing",
    "/tie-outs/actuals?company=00001", "/help?word=batch", "/nothing",
    "/records/cell?company=00001&account=9400&business_unit=30&member=Dec+25&ledger=AA&currency=",
    "/rejects/assign?id=87", "/rejects/waive?id=87", "/replay/new?id=87", "/rejects/87",
    "/flows/plan/prepare", "/connections/planning", "/tie-outs/actuals?period=2025-11",
)  # fmt: skip


def addresses() -> list[str]:
    """Every page of the table of routes, and some with what people ask of them."""
    found = []
    for address in ADDRESSES:
        path = address.path
        for name, part in PARTS.items():
            path = path.replace(f"{{{name}}}", part)
        if address.method == "GET" and address.path not in NO_PAGES and "{" not in path:
            found.append(path)
    return sorted({*found, *WITH_QUERIES})
