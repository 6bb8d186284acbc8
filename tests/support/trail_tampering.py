"""Somebody who may write every file of an instance, and what they do to its trail and its records.

Each deed takes the opened database and the dice, changes something for certain, and returns the
number of the entry that a check must name, 0 where it is a file or a row of the manifest.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random

from tieout.store.own_sqlite import sqlite3
from tieout.store.seals import TrailKey

SPELLED = ("seq", "at", "actor", "act", "object", "detail", "run", "step", "previous", "sealed_by")
COLUMNS = (*SPELLED, "seal", "hash")
Rows = list[dict[str, object]]
Deed = Callable[[sqlite3.Connection, Random], int]


def canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def opened(path: Path) -> sqlite3.Connection:
    """The database without the triggers that protect its trail."""
    db = sqlite3.connect(path)
    db.row_factory = sqlite3.Row
    for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        db.execute(f'DROP TRIGGER "{name}"')
    return db


def rows(db: sqlite3.Connection, table: str, order: str) -> Rows:
    return [dict(row) for row in db.execute(f"SELECT * FROM {table} ORDER BY {order}")]


def trail(db: sqlite3.Connection) -> Rows:
    return rows(db, "audit", "seq")


def put_back(db: sqlite3.Connection, entries: Rows) -> None:
    """These entries instead of all that were there."""
    db.execute("DELETE FROM audit")
    marks = ", ".join("?" * len(COLUMNS))
    names = ", ".join(COLUMNS)
    values = [tuple(entry[name] for name in COLUMNS) for entry in entries]
    db.executemany(f"INSERT INTO audit ({names}) VALUES ({marks})", values)


def chained(entries: Rows, start: int, key: TrailKey | None = None) -> Rows:
    """The entries numbered and hashed anew from place `start` on; with `key` sealed as well."""
    previous = entries[start - 1]["hash"] if start else "0" * 64
    for place in range(start, len(entries)):
        entry = entries[place]
        entry["seq"], entry["previous"] = place + 1, previous
        spelled = ["tieout audit 2", *(entry[name] for name in SPELLED)]
        if key:
            text = canonical(spelled).encode()
            entry["seal"] = hmac.new(key.seal_key, text, hashlib.sha256).hexdigest()
        hashed = canonical([*spelled, entry["seal"]]).encode()
        entry["hash"] = previous = hashlib.sha256(hashed).hexdigest()
    return entries


def other(value: object, dice: Random) -> object:
    """Another value of the same kind."""
    if isinstance(value, int):
        return value + dice.choice([-1, 1, 1000])
    text = str(value or "")
    place = dice.randrange(len(text) + 1)
    return text[:place] + dice.choice("0a ~é") + text[place:]


# ------------------------------------------------------------------------------ the trail


def edit_entry(db: sqlite3.Connection, dice: Random) -> int:
    entry, column = dice.choice(trail(db)), dice.choice(COLUMNS[1:])
    change = f"UPDATE audit SET {column} = ? WHERE seq = ?"
    db.execute(change, (other(entry[column], dice), entry["seq"]))
    return int(str(entry["seq"]))


def delete_entry(db: sqlite3.Connection, dice: Random) -> int:
    place = dice.randrange(len(trail(db)) - 1)
    db.execute("DELETE FROM audit WHERE seq = ?", (place + 1,))
    if dice.random() < 0.5:  # and close the gap
        for seq in range(place + 2, len(trail(db)) + 2):
            db.execute("UPDATE audit SET seq = seq - 1 WHERE seq = ?", (seq,))
    return place + 1


def reorder(db: sqlite3.Connection, dice: Random) -> int:
    entries = trail(db)
    a, b = sorted(dice.sample(range(len(entries)), 2))
    entries[a], entries[b] = entries[b], entries[a]
    if dice.random() < 0.5:  # and number them as they stand now
        for place in (a, b):
            entries[place]["seq"] = place + 1
        put_back(db, entries)
        return a + 1
    return rechain(db, dice, entries, a)


def rechain(
    db: sqlite3.Connection, dice: Random, entries: Rows | None = None, place: int = -1
) -> int:
    """Edit or leave out an entry and hash all that follow anew, without the key of the seals."""
    if entries is None:
        entries = trail(db)
        place = dice.randrange(len(entries) - 1)
        if dice.random() < 0.5:
            del entries[place]
        else:
            column = dice.choice(SPELLED[1:8])
            entries[place][column] = other(entries[place][column], dice)
    put_back(db, chained(entries, place))
    return place + 1


def invent(db: sqlite3.Connection, dice: Random) -> int:
    entries = trail(db)
    place = dice.randrange(len(entries))
    entries.insert(place, {**dice.choice(entries), "actor": "Mallory"})
    return rechain(db, dice, entries, place)


def cut_off(db: sqlite3.Connection, dice: Random) -> int:
    """Take the end away with everything that tells of it."""
    kept = dice.randrange(1, len(trail(db)))
    db.execute("DELETE FROM audit WHERE seq > ?", (kept,))
    for row in rows(db, "app_checkpoint", "n"):
        if json.loads(str(row["line"]))["seq"] > kept:
            db.execute("DELETE FROM app_checkpoint WHERE n = ?", (row["n"],))
    return kept + 1


# ------------------------------------------------------------------------------ the manifest


def edit_manifest(db: sqlite3.Connection, dice: Random) -> int:
    row = dice.choice(rows(db, "app_manifest", "seq"))
    column = dice.choice(sorted(row))
    new = int(str(row["seq"])) + 1_000 if column == "seq" else other(row[column], dice)
    if column == "superseded_by" and row[column] and dice.random() < 0.5:
        new = None  # an old file counts again
    db.execute(f"UPDATE app_manifest SET {column} = ? WHERE seq = ?", (new, row["seq"]))
    return 0


def delete_manifest(db: sqlite3.Connection, dice: Random) -> int:
    row = dice.choice(rows(db, "app_manifest", "seq"))
    db.execute("DELETE FROM app_manifest WHERE seq = ?", (row["seq"],))
    return 0


def invent_manifest(db: sqlite3.Connection, dice: Random) -> int:
    row = dice.choice(rows(db, "app_manifest", "seq"))
    row |= {"seq": 10_000, "id": "invented", "path": f"{row['path']}.other"}
    marks, names = ", ".join("?" * len(row)), ", ".join(row)
    db.execute(f"INSERT INTO app_manifest ({names}) VALUES ({marks})", tuple(row.values()))
    return 0


DEEDS: tuple[Deed, ...] = (
    edit_entry, delete_entry, reorder, rechain, invent, cut_off,
    edit_manifest, delete_manifest, invent_manifest,
)  # fmt: skip


# ------------------------------------------------------------------------------ the files


def damage(path: Path, another: Path, dice: Random) -> None:
    """Change, cut, lengthen, replace or remove one kept file."""
    data = bytearray(path.read_bytes())
    place = dice.randrange(len(data))
    match dice.randrange(5):
        case 0:
            data[place] ^= 1 << dice.randrange(8)
            path.write_bytes(data)
        case 1:
            path.write_bytes(data[:place])
        case 2:
            path.write_bytes(data + b"\0")
        case 3:
            shutil.copyfile(another, path)
        case _:
            path.unlink()
