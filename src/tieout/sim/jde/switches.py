"""The switches of the practice AIS: every behaviour that is assumed rather than documented."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

DEFAULTS: dict[str, Any] = {
    "advertised_url": "http://ais.practice.invalid:9300",  # J047: the AIS's own idea of its address
    "allow_basic": True,  # J029
    "allowed_host": True,  # J013
    "amount_literal": "displayed",  # J071: or "dictionary"
    "batch_error": "inside",  # J073: or "whole"
    "bearer_tokens": {},  # J007: token → user name
    "complex_query_order": "left_to_right",  # J058: or "and_first"
    "cookie_mode": "stateless",  # J025: or "sticky"
    "count_shape": "count",  # J062: or "top", "output"
    "cursor_reads": "page",  # J052: or "open", "offset"
    "date_aggregate": "epoch_ms",  # J066: or "yyyyMMdd"
    "date_literal": "session",  # J059: or "iso", "yyyyMMdd", "julian", "day_first", "month_first"
    "default_environment": "JPD920",  # J014
    "default_role": "*ALL",  # J014
    "device_check": True,  # J016
    "empty_sum": "zero",  # J066: or "null"
    "environments": ["JPD920"],  # J014
    "error_status": 500,  # J061: status of a refused data service call
    "fetch_limit_groups": "whole",  # J075: or "silent"
    "fetch_limit_links": "continue",  # J045: or "stop", "silent"
    "fetch_limit_rows": 2000,  # J044
    "find_needed": True,  # J046
    "hidden_business_units": [],  # J068: row security of the service user
    "html_status": 0,  # J028: 0 off; else every call answers an HTML page with this status
    "invalid_token_status": 444,  # J019: or 403, 401
    "mcu_literal": "as_sent",  # J060: or "justified"
    "order": "unstable",  # J053: or "stable"
    "repeated_link": "skips",  # J051: or "repeats"
    "result_set_seconds": 60,  # J050
    "roles": ["*ALL"],  # J014
    "session_idle_minutes": 30,  # J018
    "session_total_minutes": 720,  # J018
    "simple_date_format": "MM/dd/yyyy",  # J008: or dd/MM/yyyy, yyyy/MM/dd with any separator
    "text_case": "exact",  # J070: or "ignored"
    "timestamp_format": "new",  # J020: or "old"
    "unknown_path": "html",  # J027: or "json"
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
}


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
