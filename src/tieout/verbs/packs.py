"""Evidence packs that were made here: kept in the home, listed, handed out."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tieout.app import Instance
from tieout.errors import Misconfigured
from tieout.verbs import acting
from tieout.verbs.evidence import making

FOLDER = "packs"
NAME = re.compile(r"evidence-[A-Za-z0-9_.-]{1,120}[.]zip")
PACKS_SHOWN_MAX = 200


def listed(instance: Instance) -> list[dict[str, Any]]:
    """The packs in the home, newest first: name, size and when each was made."""
    acting.require(instance, making.ACT)
    files = sorted(_folder(instance).glob("evidence-*.zip"), key=lambda f: f.stat().st_mtime)
    return [
        {"name": f.name, "bytes": f.stat().st_size,
         "made_at": datetime.fromtimestamp(f.stat().st_mtime, UTC)}
        for f in reversed(files[-PACKS_SHOWN_MAX:])
    ]  # fmt: skip


def make(instance: Instance, period: str, flow: str | None) -> dict[str, Any]:
    """Make the pack of a period and keep it in the home; what was written."""
    acting.require(instance, making.ACT)
    folder = _folder(instance)
    folder.mkdir(mode=0o700, exist_ok=True)
    of = f"{flow}-{period}" if flow else period
    at = instance.clock.now().strftime("%Y%m%dT%H%M%S")
    name = f"evidence-{of}-{at}.zip"
    if not NAME.fullmatch(name):
        raise Misconfigured(
            f"{period!r} is no period.", do="Write fiscal year and period: 2025-03."
        )
    return making.make(instance, period, flow, folder / name) | {"name": name}


def file(instance: Instance, name: str) -> Path:
    """Where a pack lies, for who may have it; Misconfigured when there is none of this name."""
    path = _folder(instance) / name
    if not NAME.fullmatch(name) or not path.is_file():
        raise Misconfigured(f"There is no pack {name}.")
    return path


def _folder(instance: Instance) -> Path:
    return instance.home / FOLDER
