"""What may stand in the columns and inputs that a flow names, and what must."""

from __future__ import annotations

COLUMN_MEANINGS = {
    "submit_plan": (
        "company", "account", "business_unit", "period", "version", "currency", "amount",
        "approved", "approver", "ignored",
    ),
    "control": ("company", "period", "version", "rows", "amount", "ignored"),
    "inputs": (
        "batch_number", "document_number", "company", "ledger", "document_type", "currency",
        "gl_date", "token", "batch_token", "transaction_number", "explanation", "line_count",
    ),
    "line_inputs": (
        "account_id", "amount", "remark", "subledger", "subledger_type", "line",
    ),
    "load_actuals": (
        "company", "account", "business_unit", "period", "amount", "ledger", "currency",
    ),
    "accounts": (
        "code", "description", "active", "level", *(f"category_{n:02d}" for n in range(1, 44)),
    ),
    "business_units": (
        "code", "description", "company", "type", "active",
        *(f"category_{n:02d}" for n in range(1, 51)),
    ),
    "companies": ("code", "description", "currency", "active"),
}  # fmt: skip
NEEDED_COLUMNS = {
    "submit_plan": {"company", "account", "business_unit", "period", "amount"},
    "control": {"company", "period", "rows", "amount"},
    "inputs": {"company", "ledger", "gl_date", "token", "explanation"},
    "line_inputs": {"account_id", "amount"},
    "load_actuals": {"company", "account", "business_unit", "period", "amount"},
    "accounts": {"code"},
    "business_units": {"code"},
    "companies": {"code"},
}
