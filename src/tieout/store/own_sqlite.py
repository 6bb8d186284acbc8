"""The SQLite of this process: the one that comes with us where there is one, else Python's.

Python brings the SQLite of the machine, often one whose write-ahead log is unsound
(docs/decisions/0027-our-own-sqlite.md). There must be one copy in a process: closing a file through
a second copy drops the locks that the first one holds on it, so nobody else imports one
(https://sqlite.org/howtocorrupt.html §2.2.1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3
else:
    try:
        import pysqlite3 as sqlite3
    except ImportError:  # no wheel of it for this machine
        import sqlite3

__all__ = ["MOVED", "sqlite3"]

# SQLITE_READONLY_DBMOVED (https://sqlite.org/rescode.html), which the driver does not spell out.
MOVED = 1032
