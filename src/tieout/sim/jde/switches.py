"""The switches of the practice AIS: every behaviour that is assumed rather than documented."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

DEFAULTS: dict[str, Any] = {
    "added_inputs": {},  # J078: orchestration → name → type: what its author added since
    "advertised_url": "http://ais.practice.invalid:9300",  # J047: the AIS's own idea of its address
    "allow_basic": True,  # J029
    "allowed_host": True,  # J013
    "amount_literal": "displayed",  # J071: or "dictionary"
    "approval_required": True,  # J108: general ledger constant: journals wait for approval
    "async_seconds": 5,  # J088: how long after its 202 a call runs
    "batch_error": "inside",  # J073: or "whole"
    "bearer_tokens": {},  # J007: token → user name
    "complex_query_order": "left_to_right",  # J058: or "and_first"
    "cookie_mode": "stateless",  # J025: or "sticky"
    "count_shape": "count",  # J062: or "top", "output"
    "cursor_reads": "page",  # J052: or "open", "offset"
    "date_aggregate": "epoch_ms",  # J066: or "yyyyMMdd"
    "date_literal": "session",  # J059: or "iso", "yyyyMMdd", "julian", "day_first", "month_first"
    "default_environment": "JPD920",  # J014
    "default_ledger": "AA",  # J103: the default of the version where the ledger is blank
    "default_role": "*ALL",  # J014
    "device_check": True,  # J016
    "discover_arrays": "objects",  # J077: or "names", "absent"
    "discover_detail": "full",  # J076: or "short"
    "duplicate_batch": "join",  # J105: or "refuse"
    "duplicate_document": "refuse",  # J106: or "renumber"
    "empty_sum": "zero",  # J066: or "null"
    "environments": ["JPD920"],  # J014
    "error_status": 500,  # J061: status of a refused data service call
    "excess_decimals": "refuse",  # J117: or "cut"
    "fetch_limit_groups": "whole",  # J075: or "silent"
    "fetch_limit_links": "continue",  # J045: or "stop", "silent"
    "fetch_limit_rows": 2000,  # J044
    "find_needed": True,  # J046
    "gateway_seconds": 20,  # J098: real seconds until 504 for a call that waits behind another
    "hidden_business_units": [],  # J068: row security of the service user
    "hidden_inputs": [],  # J078: orchestrations whose inputs are not shown
    "hidden_orchestrations": [],  # J078
    "html_status": 0,  # J028: 0 off; else every call answers an HTML page with this status
    "input_format": "Generic",  # J084: or "JDE Standard"
    "invalid_input_status": 400,  # J085 J089: or 500
    "invalid_token_status": 444,  # J019: or 403, 401
    "invented_numbers": "accept",  # J107: or "refuse"
    "long_text": "refuse",  # J118: or "cut"
    "mcu_literal": "as_sent",  # J060: or "justified"
    "multi_company": "refuse",  # J110: or "accept"
    "orchestration_date": "yyyy-MM-dd",  # J086: or "user", another pattern
    "orchestration_output": "mapped",  # J092: or "none"
    "orchestration_queue": "JDE_DEFAULT",  # J090: what the author of the plan journal chose
    "order": "unstable",  # J053: or "stable"
    "other_input_format": "refuse",  # J084: or "accept"
    "output_numbers": "number",  # J095: or "text"
    "pbco": "warning",  # J111: or "error": general ledger constant "allow PBCO postings"
    "plan_document_type": "BN",  # J101: what the orchestration sends without DocumentType
    "purge_processed": False,  # J120: R09110Z deletes what it processed
    "repeated_link": "skips",  # J051: or "repeats"
    "restart_queue": "keeps",  # J097: or "drops"
    "result_set_seconds": 60,  # J050
    "roles": ["*ALL"],  # J014
    "services": "v2",  # J140: or "v1", of Tools before 9.2.1.2
    "session_idle_minutes": 30,  # J018
    "session_total_minutes": 720,  # J018
    "simple_date_format": "MM/dd/yyyy",  # J008: or dd/MM/yyyy, yyyy/MM/dd with any separator
    "status_keys": False,  # J093
    "text_case": "exact",  # J070: or "ignored"
    "timestamp_format": "new",  # J020: or "old"
    "unknown_input": "refuse",  # J085: or "ignore"
    "unknown_orchestration": 500,  # J079: or 404, 400
    "unknown_path": "html",  # J027: or "json"
    "upload_errors": "inside",  # J094: or "work_center", "status"
    "upload_selection": "own",  # J121: or "all"
    "warnings_block": False,  # J113
}  # fmt: skip

_CHOICES = {
    "amount_literal": ("displayed", "dictionary"),
    "batch_error": ("inside", "whole"),
    "complex_query_order": ("left_to_right", "and_first"),
    "cookie_mode": ("stateless", "sticky"),
    "count_shape": ("count", "top", "output"),
    "cursor_reads": ("page", "open", "offset"),
    "date_aggregate": ("epoch_ms", "yyyyMMdd"),
    "date_literal": ("session", "iso", "yyyyMMdd", "julian", "day_first", "month_first"),
    "empty_sum": ("zero", "null"),
    "fetch_limit_groups": ("whole", "silent"),
    "fetch_limit_links": ("continue", "stop", "silent"),
    "invalid_token_status": (444, 403, 401),
    "mcu_literal": ("as_sent", "justified"),
    "order": ("unstable", "stable"),
    "repeated_link": ("skips", "repeats"),
    "text_case": ("exact", "ignored"),
    "timestamp_format": ("new", "old"),
    "unknown_path": ("html", "json"),
    "discover_arrays": ("objects", "names", "absent"),
    "discover_detail": ("full", "short"),
    "duplicate_batch": ("join", "refuse"),
    "duplicate_document": ("refuse", "renumber"),
    "excess_decimals": ("refuse", "cut"),
    "input_format": ("Generic", "JDE Standard"),
    "invalid_input_status": (400, 500),
    "invented_numbers": ("accept", "refuse"),
    "long_text": ("refuse", "cut"),
    "multi_company": ("refuse", "accept"),
    "orchestration_output": ("mapped", "none"),
    "orchestration_queue": (
        "JDE_DEFAULT", "JDE_ASYNC", "JDE_SINGLE", "JDE_USER_SINGLE", "JDE_USER_ASYNC",
    ),
    "other_input_format": ("refuse", "accept"),
    "output_numbers": ("number", "text"),
    "pbco": ("warning", "error"),
    "restart_queue": ("keeps", "drops"),
    "unknown_input": ("refuse", "ignore"),
    "unknown_orchestration": (500, 404, 400),
    "upload_errors": ("inside", "work_center", "status"),
    "upload_selection": ("own", "all"),
}  # fmt: skip


class Switches:
    """Named switches with defaults; kept in the practice state so that a restart keeps them."""

    def __init__(self, kept: str | None, keep: Callable[[str], None]) -> None:
        self._changed: dict[str, Any] = json.loads(kept) if kept else {}
        self._keep = keep

    def __getitem__(self, name: str) -> Any:
        return self._changed.get(name, DEFAULTS[name])

    def control(self, body: dict[str, Any]) -> dict[str, Any]:
        """`{"name", "value"}` sets one, `{"reset": true}` all to default, `{}` lists them."""
        if body.get("reset"):
            self._changed = {}
            self._keep("{}")
        elif body:
            name, value = body["name"], body["value"]
            self._check(name, value)
            self._changed = self._changed | {name: value}
            self._keep(json.dumps(self._changed))
        return {"switches": DEFAULTS | self._changed}

    @staticmethod
    def _check(name: str, value: Any) -> None:
        if name not in DEFAULTS:
            raise ValueError(f"no switch {name!r}; one of {', '.join(DEFAULTS)}")
        if type(value) is not type(DEFAULTS[name]):
            raise ValueError(f"{name} takes a {type(DEFAULTS[name]).__name__}, not {value!r}")
        if name in _CHOICES and value not in _CHOICES[name]:
            raise ValueError(f"{name} is one of {_CHOICES[name]}, not {value!r}")
