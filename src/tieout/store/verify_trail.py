"""Checks an exported trail of Tieout, its checkpoints and its files: `python verify_trail.py -h`.

It stands alone on purpose: it imports nothing of Tieout and needs nothing but Python, so that an
auditor can read all of it and run it anywhere; `tieout audit verify` runs these same lines. How
hashes, seals and signatures are spelled: docs/explanation/the-trail.md.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import hmac
import json
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

START = "0" * 64
SPELLED = ("seq", "at", "actor", "act", "object", "detail", "run", "step", "previous", "sealed_by")
SIGNED = {"format", "n", "trail", "seq", "head", "at", "run", "public_key"}
KINDS = ("export", "checkpoint", "file", "entry", "end")  # of lines, in their order
NOT_WHOLE = 6  # exit code

Row: TypeAlias = Mapping[str, Any]
Signed: TypeAlias = Callable[[bytes, bytes, bytes], bool]  # public key, signature, what was signed
Hashed: TypeAlias = Callable[[str], str]  # the SHA-256 of a kept file, by its path


def canonical(value: object) -> str:
    """The one spelling of a JSON value, which is what is hashed, sealed and signed."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


class Broken(Exception):
    """The first entry that does not fit, and why; what comes after it proves nothing."""

    def __init__(self, seq: int, why: str) -> None:
        super().__init__(why)
        self.seq, self.why = seq, why


class Chain:
    """Follows the entries from the first; `seq` and `head` are number and hash of the last."""

    def __init__(self, seal_key: bytes | None = None) -> None:
        self.seq, self.head, self.sealed_from, self._key = 0, START, 0, seal_key

    def add(self, entry: Row) -> None:
        """The next entry; Broken when it is not the one that was written after the last."""
        seq = self.seq + 1
        if set(entry) != {*SPELLED, "seal", "hash"} or entry["seq"] != seq:
            raise Broken(seq, f"Entry {seq} is missing, or something else stands in its place.")
        if entry["previous"] != self.head:
            raise Broken(seq, f"Entry {seq} does not follow the entry before it.")
        spelled = ["tieout audit 2", *(entry[name] for name in SPELLED)]
        hashed = hashlib.sha256(_bytes(canonical([*spelled, entry["seal"]]))).hexdigest()
        if entry["hash"] != hashed:
            raise Broken(seq, f"Entry {seq} was edited.")
        if self._key is not None:
            seal = hmac.new(self._key, _bytes(canonical(spelled)), hashlib.sha256).hexdigest()
            if entry["seal"] == seal:
                self.sealed_from = self.sealed_from or seq
            elif self.sealed_from:  # before that, another key may have been lost
                raise Broken(seq, f"Entry {seq} was not written by who has the key of the trail.")
        self.seq, self.head = seq, hashed

    def end(self) -> None:
        """No more entries come; Broken when the key has sealed none of them."""
        if self._key is not None and self.seq and not self.sealed_from:
            raise Broken(1, "No entry was written by who has the key of the trail.")


@dataclass(frozen=True)
class Anchor:
    """What a file of checkpoints outside the database says."""

    checkpoints: tuple[str, ...]
    public_keys: frozenset[str]
    unreadable: int


def read_anchor(lines: Iterable[str]) -> Anchor:
    """An anchor file by its lines; a torn line is counted, not trusted."""
    checkpoints, keys, unreadable = [], set(), 0
    for line in filter(None, (line.rstrip("\n") for line in lines)):
        told = _object(line)
        if "anchor" not in told and set(told) != {*SIGNED, "signature"}:
            unreadable += 1
            continue
        keys.add(str(told.get("public_key")))
        if "anchor" not in told:
            checkpoints.append(line)
    return Anchor(tuple(checkpoints), frozenset(keys), unreadable)


@dataclass
class Report:
    """What was found; `first_bad` is the number of the first entry that does not fit, or 0."""

    entries: int = 0
    checkpoints: int = 0
    files: int = 0
    head: str = START
    first_bad: int = 0
    problems: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    public_keys: list[str] = field(default_factory=list)


def verify(
    lines: Iterable[str], anchor: Anchor | None = None, records: Hashed | None = None,
    seal_key: bytes | None = None, signed: Signed | None = None,
) -> Report:  # fmt: skip
    """Check the lines of an export, with what is at hand: anchor, kept files, key.

    `signed` may be a library's way to check Ed25519, which is a hundred times faster than ours.
    """
    check = _Check(anchor, records, seal_key, signed or signed_by_arithmetic)
    try:
        for line in lines:
            check.take(line.rstrip("\n"))
        check.end()
    except Broken as broken:
        check.report.first_bad = broken.seq
        check.report.problems.append(f"{broken.why} What comes after it was not checked.")
    check.report.entries, check.report.head = check.chain.seq, check.chain.head
    return check.report


class _Check:
    def __init__(
        self, anchor: Anchor | None, records: Hashed | None, key: bytes | None, signed: Signed
    ) -> None:
        self.chain, self.report, self._signed = Chain(key), Report(), signed
        self._anchor, self._records, self._has_key = anchor, records, key is not None
        self._kept: list[str] = []  # the checkpoints in the database
        self._marks: dict[int, list[Row]] = {}  # those to come, by the entry they signed
        self._proving: set[str] = set()  # their signatures: with an anchor, only those in it
        self._proved = 0  # the last entry that one of them holds
        self._files: dict[str, Row] = {}  # by id, as the manifest has them
        self._told: dict[str, tuple[int, dict[str, Any]]] = {}  # as the entries tell them
        self._purged: set[str] = set()  # ids of those that an entry says were removed
        self._kind, self._counts = "", dict.fromkeys(KINDS, 0)

    def take(self, line: str) -> None:
        value: Any  # a text or an object, else it does not fit
        kind, value = next(iter(_object(line).items()), ("", None))
        in_order = kind in KINDS[KINDS.index(self._kind) :] if self._kind else kind == "export"
        fits = type(value) is (str if kind == "checkpoint" else dict)
        if not in_order or not fits or kind == self._kind == "export":
            raise Broken(self.chain.seq + 1, f"The export has a line that is not its own: {line}.")
        if kind in ("entry", "end") and self._kind not in ("entry", "end"):
            self._weigh_checkpoints()
        self._kind = kind
        self._counts[kind] += 1
        if kind == "checkpoint":
            self._kept.append(value)
        elif kind == "file":
            if (name := str(value.get("id"))) in self._files:
                self.report.problems.append(f"The manifest names {value.get('path')} twice.")
            self._files[name] = value
        elif kind == "entry":
            self._entry(value)
        elif kind == "end" and value != {name: self._counts[name] for name in KINDS[1:4]}:
            raise Broken(self.chain.seq + 1, "The export has not as many lines as its last says.")

    def _weigh_checkpoints(self) -> None:
        """Which of them can be trusted, and where in the trail each belongs."""
        problems, known = self.report.problems, set(self._kept)
        anchored = dict.fromkeys(self._anchor.checkpoints if self._anchor else ())
        if gone := [n for n, line in enumerate(self._kept, 1) if n != _object(line).get("n")]:
            problems.append(f"Checkpoint {gone[0]} is not in the database any more.")
        for line in dict.fromkeys([*self._kept, *anchored]):
            told = _object(line)
            if set(told) != {*SIGNED, "signature"} or not self._bears_out(told):
                problems.append(f"A checkpoint does not bear out its signature: {line}.")
                continue
            if self._anchor and line not in known:
                problems.append(f"Checkpoint {told['n']} of the anchor is not in the database.")
            if self._anchor and told["public_key"] not in self._anchor.public_keys:
                problems.append(f"Checkpoint {told['n']} is signed by a key not in the anchor.")
            self.report.checkpoints += 1
            self._marks.setdefault(told["seq"], []).append(told)
            if self._anchor is None or line in anchored:
                self._proving.add(told["signature"])
            if told["public_key"] not in self.report.public_keys:
                self.report.public_keys.append(told["public_key"])

    def _bears_out(self, told: Row) -> bool:
        text = canonical({name: told[name] for name in SIGNED})
        try:
            public, signature = bytes.fromhex(told["public_key"]), bytes.fromhex(told["signature"])
            return isinstance(told["seq"], int) and self._signed(public, signature, _bytes(text))
        except (ValueError, TypeError):
            return False

    def _entry(self, entry: Row) -> None:
        self.chain.add(entry)
        seq = self.chain.seq
        if seq == 1:
            for mark in (mark for marks in self._marks.values() for mark in marks):
                if mark["trail"] != self.chain.head:
                    raise Broken(1, f"Checkpoint {mark['n']} is of a trail that began otherwise.")
        marks = self._marks.pop(seq, [])
        for mark in marks:
            if mark["head"] != self.chain.head:
                what = f"Between the entries {self._proved + 1} and {seq} the trail is not the one"
                raise Broken(self._proved + 1, f"{what} of checkpoint {mark['n']} ({mark['at']}).")
            name = hashlib.sha256(bytes.fromhex(mark["public_key"])).hexdigest()[:16]
            if name != entry["sealed_by"]:
                raise Broken(seq, f"Another key than that of entry {seq} signed its checkpoint.")
        if any(mark["signature"] in self._proving for mark in marks):
            self._proved = seq
        if entry["act"] == "finished run" and not marks:
            self.report.problems.append(f"The checkpoint of entry {seq} is missing: a run ended.")
        if entry["act"] in ("finished step", "purged records"):
            self._tell(entry)

    def _tell(self, entry: Row) -> None:
        """Which files were kept, retired or purged; the chain holds it, so it is no guess."""
        told = _object(entry["detail"])
        self._purged |= {purged["id"] for purged in told.get("files", [])}
        for kept in told.get("kept", []):
            row = {**kept, "run": entry["run"], "step": entry["step"], "superseded_by": None}
            row["sums"] = canonical(kept.get("sums"))
            self._told[kept["id"]] = (entry["seq"], row)
        for retired in told.get("retired", []):
            if retired in self._told:
                self._told[retired][1]["superseded_by"] = entry["run"]

    def end(self) -> None:
        if self._kind != "end":
            raise Broken(self.chain.seq + 1, "The export was cut off.")
        self.chain.end()
        if self._marks:
            mark = self._marks[min(self._marks)][0]
            good = self.chain.seq if self._has_key else self._proved
            raise Broken(
                good + 1,
                f"The trail ends with entry {self.chain.seq}, but checkpoint {mark['n']} "
                f"({mark['at']}) signed entry {mark['seq']}: its end was cut off, or an older copy "
                "of the database was put in its place.",
            )
        self._compare_files()
        self._note()

    def _compare_files(self) -> None:
        problems = self.report.problems
        for missing in self._files.keys() - self._told.keys():
            path = self._files[missing].get("path")
            problems.append(f"The manifest names the file {path}, of which no entry tells.")
        for name, (seq, told) in self._told.items():
            path, row = told.get("path"), self._files.get(name)
            if row is None:
                problems.append(f"The file {path} of entry {seq} is not in the manifest any more.")
                continue
            purged = name in self._purged
            if purged is not bool(row.get("purged")):
                problems.append(f"{path} is purged by the trail or by its table, not both.")
            spelled = [{c: canonical(s[c]) for c in s if c != "purged"} for s in (row, told)]
            edited = {c for c in {*row, *told} if spelled[0].get(c) != spelled[1].get(c)}
            if edited:
                what = f"What the manifest says of {path} is not what entry {seq} told"
                problems.append(f"{what}: {', '.join(sorted(edited))}.")
            if self._records and (why := _damage(self._records, told, purged)):
                problems.append(f"The file {path} of entry {seq} {why}.")
            self.report.files += not purged

    def _note(self) -> None:
        newer, own = self.chain.seq - self._proved, self.chain.sealed_from
        unanchored = len(set(self._kept) - set(self._anchor.checkpoints)) if self._anchor else 0
        notes = {
            "No anchor was given: without one, nobody can see that the end was cut off or an "
            "older copy of the database put in its place.": not self._anchor,
            "The seals were not checked: that takes the key of the trail.": not self._has_key,
            "The files themselves were not read: that takes their directory.": not self._records,
            f"Entries 1 to {own - 1} were sealed with a key that is not here.": own > 1,
            f"The last {newer} entries are newer than the last checkpoint.": newer,
            f"Checkpoints that are not in the anchor: {unanchored}.": unanchored,
            f"Lines of the anchor that cannot be read: {self._anchor and self._anchor.unreadable}.":
                self._anchor and self._anchor.unreadable,
            f"Files that were purged, as the trail tells: {len(self._purged)}.": self._purged,
            "Several keys signed: who keeps them knows why.": len(self.report.public_keys) > 1,
        }  # fmt: skip
        self.report.notices = [note for note, holds in notes.items() if holds]


def _object(line: str) -> dict[str, Any]:
    """The JSON object that is spelled canonically in `line`, else an empty one."""
    try:
        value = json.loads(line)
    except ValueError:
        return {}
    return value if isinstance(value, dict) and canonical(value) == line else {}


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _damage(hashed: Hashed, told: Row, purged: bool) -> str:
    try:
        found = hashed(str(told.get("path")))
    except OSError as error:
        return "" if purged and type(error) is FileNotFoundError else "is missing or cannot be read"
    return "" if found == told["sha256"] else "is not the one that was written"


# Ed25519 without a library: the formulas of RFC 8032 §5.1, in extended coordinates.

P, ORDER = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
Point: TypeAlias = tuple[int, int, int, int]


def signed_by_arithmetic(public: bytes, signature: bytes, text: bytes) -> bool:
    """Whether `signature` is that of the Ed25519 key `public` under `text`; in 5 ms."""
    try:
        key, r = _point(public), _point(signature[:32])
    except ValueError:
        return False
    s = int.from_bytes(signature[32:], "little")
    if len(signature) != 64 or s >= ORDER:
        return False
    hashed = hashlib.sha512(signature[:32] + public + text).digest()
    left = _times(s, _point((4 * pow(5, -1, P) % P).to_bytes(32, "little")))
    right = _sum(r, _times(int.from_bytes(hashed, "little") % ORDER, key))
    return all((left[n] * right[2] - right[n] * left[2]) % P == 0 for n in (0, 1))


def _point(data: bytes) -> Point:
    number = int.from_bytes(data, "little")
    y, odd = number % 2**255, number >> 255
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if len(data) != 32 or y >= P or (x * x - square) % P or (x == 0 and odd):
        raise ValueError("not a point of the curve")
    x = x if x % 2 == odd else P - x
    return x, y, 1, x * y % P


def _sum(p: Point, q: Point) -> Point:
    a, b = (p[1] - p[0]) * (q[1] - q[0]), (p[1] + p[0]) * (q[1] + q[0])
    c, d = 2 * p[3] * q[3] * D, 2 * p[2] * q[2]
    e, f, g, h = (b - a) % P, (d - c) % P, (d + c) % P, (b + a) % P
    return e * f % P, g * h % P, f * g % P, e * h % P


def _times(n: int, p: Point) -> Point:
    result: Point = (0, 1, 1, 0)
    while n:
        result = _sum(result, p) if n % 2 else result
        n, p = n // 2, _sum(p, p)
    return result


def main() -> int:
    """Check the export named on the command line; 0 when it is whole, 6 when it is not."""
    parser = argparse.ArgumentParser(description="Check an exported trail of Tieout.")
    parser.add_argument("export", type=Path, help="what `tieout audit export` wrote")
    parser.add_argument("--anchor", type=Path, help="the file of checkpoints kept elsewhere")
    parser.add_argument("--records", type=Path, help="the directory of the kept files")
    parser.add_argument("--key", type=Path, help="the key of the trail, to check the seals too")
    try:
        report = _verify_files(parser.parse_args())
    except (OSError, ValueError) as error:
        parser.error(str(error))
    counts = f"{report.entries} entries, {report.checkpoints} checkpoints, {report.files} files"
    keys = [f"signed by {public}" for public in report.public_keys]
    verdict = "NOT WHOLE." if report.problems else "Whole, as far as was checked."
    lines = [counts, f"head {report.head}", *keys, *report.problems, *report.notices, verdict]
    sys.stdout.write("\n".join(lines) + "\n")
    return NOT_WHOLE if report.problems else 0


def _verify_files(told: argparse.Namespace) -> Report:
    key, anchor, files = None, None, told.records
    if told.key:
        secret = base64.b64decode(told.key.read_bytes().strip(), validate=True)
        key = hmac.new(secret, b"tieout trail seals 1\x01", hashlib.sha256).digest()
    if told.anchor:
        with told.anchor.open(encoding="utf-8", newline="\n", errors="replace") as lines:
            anchor = read_anchor(lines)
    with told.export.open(encoding="utf-8", newline="\n", errors="replace") as lines:
        return verify(lines, anchor, files and (lambda path: _sha256(files / path)), key)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


if __name__ == "__main__":
    sys.exit(main())
