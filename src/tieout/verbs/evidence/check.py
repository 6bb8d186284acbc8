"""Checks the files of an evidence pack of Tieout against its manifest: `python check.py`.

It imports nothing of Tieout and needs nothing but Python. What it cannot see: whether the manifest
is the one that was written. The SHA-256 of the whole ZIP stands in the trail of the instance.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

MANIFEST, SUMS = "manifest.json", "SHA256SUMS"
NOT_WHOLE = 6  # exit code


def problems(pack: Path) -> list[str]:
    """What is missing, edited or beside what the manifest names, each in a sentence."""
    try:
        told = json.loads((pack / MANIFEST).read_text(encoding="utf-8"))["files"]
    except (OSError, ValueError, KeyError):
        return [f"{MANIFEST} is missing or cannot be read."]
    found = []
    for name, file in told.items():
        path = pack / name
        if not path.is_file():
            found.append(f"{name} is missing.")
            continue
        with path.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        if (digest, path.stat().st_size) != (file["sha256"], file["bytes"]):
            found.append(f"{name} is not the file that was packed.")
    there = {path.relative_to(pack).as_posix() for path in pack.rglob("*") if path.is_file()}
    found += [f"{name} was not packed." for name in sorted(there - {*told, MANIFEST, SUMS})]
    return found


def main() -> int:
    """Check the pack that this file lies in."""
    found = problems(Path(__file__).resolve().parent)
    verdict = "NOT WHOLE." if found else "Every file is the one that was packed."
    sys.stdout.write("\n".join([*found, verdict]) + "\n")
    return NOT_WHOLE if found else 0


if __name__ == "__main__":
    sys.exit(main())
