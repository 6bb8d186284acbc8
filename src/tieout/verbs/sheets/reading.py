"""Reads the first sheet of one workbook, as a program of its own that only it can bring down.

A few kilobytes can ask for half a terabyte of cells, and the library then ends its process: that
must not be the one that serves pages and executes runs. It has a workbook on its input, and writes
each row as a line of JSON: its cells, each a text, or in a list of its own what is no text.
"""

from __future__ import annotations

import io
import json
import resource
import sys

import python_calamine

MEMORY_BYTES_MAX = 1_500_000_000
CPU_SECONDS_MAX = 30
ROWS_MAX = 200_000
CELLS_OF_ROW_MAX = 100
CHARACTERS_MAX = 50_000_000
UNREADABLE_EXIT_CODE = 3  # no workbook: the library's reason is on its output


def main() -> int:
    """Read, and tell; the exit code."""
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS_MAX, CPU_SECONDS_MAX))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES_MAX, MEMORY_BYTES_MAX))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(sys.stdin.buffer.read()))
        sheet = book.get_sheet_by_index(0)
    except python_calamine.CalamineError as error:
        sys.stdout.write(str(error))
        return UNREADABLE_EXIT_CODE
    if sheet.total_height > ROWS_MAX or sheet.total_width > CELLS_OF_ROW_MAX:
        sys.stdout.write(
            f"it goes to row {sheet.total_height:,} and column {sheet.total_width:,}, beyond "
            f"row {ROWS_MAX:,} or column {CELLS_OF_ROW_MAX}"
        )
        return UNREADABLE_EXIT_CODE
    lines = [json.dumps([_told(v) for v in row]) for row in sheet.to_python(skip_empty_area=False)]
    if sum(map(len, lines)) > CHARACTERS_MAX:
        sys.stdout.write(f"it holds more than {CHARACTERS_MAX:,} characters")
        return UNREADABLE_EXIT_CODE
    sys.stdout.write("\n".join(lines))
    return 0


def _told(value: object) -> str | list[str]:
    if isinstance(value, str):
        return value
    whole = isinstance(value, int | float) and not isinstance(value, bool)
    if whole and value == int(value):  # type: ignore[call-overload]  # it is a number
        return str(int(value))  # type: ignore[call-overload]  # it is a number
    return [repr(value)]


if __name__ == "__main__":
    sys.exit(main())
