"""The practice Anaplan of the contract tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from anaplan_practice import Practice, practice


@pytest.fixture
def anaplan(tmp_path: Path) -> Iterator[Practice]:
    """A fresh practice Anaplan with a small model, signed in."""
    with practice(tmp_path) as served:
        yield served
