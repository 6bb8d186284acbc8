"""Contested or assumed behaviour of Anaplan as named switches, with defaults and choices."""

from __future__ import annotations

from typing import Any

# name → (default, allowed values; None means any value of the default's type)
SWITCHES: dict[str, tuple[Any, tuple[Any, ...] | None]] = {
    "retry_after": ("seconds", ("seconds", "date", "absent")),  # A012
    "rate_per_minute": (600, None),  # A012
    "rate_counting": ("bucket", ("bucket", "window")),  # A012
    "page_cap": (5000, None),  # A015
    "paging_total": ("told", ("told", "absent")),  # A015
    "extra_refresh_token": (False, (False, True)),  # A010
    "certificate_refusal": (
        "FAILURE_BAD_CREDENTIAL",
        ("FAILURE_BAD_CREDENTIAL", "FAILURE_BAD_CERTIFICATE"),
    ),  # A098
    "v2_required": (False, (False, True)),  # A100
    "v2_known": (True, (True, False)),  # A100
    "certificate_time": ("seconds", ("seconds", "milliseconds")),  # A101
    "certificate_tolerance_seconds": (300.0, None),  # A101
    "oauth_error_status": (403, (400, 401, 403)),  # A107
    "rotating_refresh": (True, (True, False)),  # A106
    "refresh_reuse": ("ends", ("ends", "passes")),  # A106
    "refresh_seconds": (43_000.0, None),  # A106
    "file_limits": (True, (False, True)),  # A035
    "locale_first": (False, (False, True)),  # A037
    "task_step_seconds": (0.05, None),  # A039
    "odd_enums": (False, (False, True)),  # A046
    "dump_chunk_bytes": (10_000_000, None),  # A048
    "no_dump_status": (404, (404, 204)),  # A049
    "module_duplicates": ("sum", ("sum", "last")),  # A055
    "missing_key_column": ("fail", ("fail", "rows")),  # A054
    "blank_number": ("zero", ("zero", "ignore")),  # A065
    "busy_reads": ("wait", ("wait", 409, 504)),  # A069
    "busy_starts": ("queue", ("queue", "wait", 409)),  # A092
    "busy_uploads": ("pass", ("pass", "wait", 409)),  # A093
    "busy_wait_seconds": (30.0, None),  # A069
    "task_hours": (48.0, None),  # A094
    "chunk_listing": ("ascending", ("ascending", "descending", "from_one")),  # A095
    "download_encoding": ("identity", ("identity", "gzip", "gzip_members")),  # A096
    "cell_failures_empty": ("absent", ("absent", "empty")),  # A073
    "cells_max": (1_000_000, None),  # A076
    "cells_counted": ("shown", ("shown", "all")),  # A076
    "read_page_rows": (50_000, None),  # A077
    "page_headers": ("first", ("first", "every")),  # A078
    "tabular_pages": ("first", ("first", "last")),  # A078
    "tabular_filter": (True, (True, False)),  # A078
    "list_csv_header": ("fields", ("fields", "titles")),  # A071
    "unannounced_chunk_status": (400, (400, 404, 409)),  # A024
    "bad_gzip_status": (400, (400, 415, 500)),  # A026
    "missing_chunk": ("fail", ("fail", "skip")),  # A028
    "cancel_answer": ("task", ("task", "empty")),  # A041
    "module_values": ("like_lists", ("like_lists", "absent")),  # A087
    "all_mapped_items": ("remembered", ("remembered", "source")),  # A086
    "trim_cells": (True, (True, False)),  # A067
    "strip_mark": (True, (True, False)),  # A088
    "number_precision": ("exact", ("exact", "double")),  # A089
    "locked_status": (423, (423, 409, 503)),  # A070
    "archived_status": (422, (422, 404, 409)),  # A070
    "offline_status": (424, (424, 404, 409)),  # A070
    "cell_failure_types": ("words", ("words", "calculated_only")),  # A090
    "single_task_answer": ("nested", ("nested", "bare")),  # A038
    "export_chunk_bytes": (10_000_000, None),  # A051
}


def checked(name: str, value: Any) -> Any:
    """The value to store for switch `name`; ValueError names the switches or choices there are."""
    if name not in SWITCHES:
        raise ValueError(f"no switch {name!r}; there are {', '.join(sorted(SWITCHES))}")
    default, allowed = SWITCHES[name]
    if allowed is not None and value not in allowed:
        raise ValueError(f"{name} is one of {', '.join(map(str, allowed))}, not {value!r}")
    if allowed is None and isinstance(value, bool | str):
        raise ValueError(f"{name} is a number, not {value!r}")
    return type(default)(value) if allowed is None else value
