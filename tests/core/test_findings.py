"""Findings: every rule that can be reported is explained, and serious ones say what to do."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

import tieout
from tieout.core.findings import RULES, Finding, Severity
from tieout.core.proof import RULES_OF_REASONS

PRODUCT = Path(tieout.__path__[0])


@cache
def reported() -> dict[str, list[ast.Call]]:
    """Rule → the places that make a finding of it, as far as the rule is written out there."""
    found: dict[str, list[ast.Call]] = {}
    for path in sorted(PRODUCT.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                first = node.args[0] if node.args else None
                if node.func.id == "Finding" and isinstance(first, ast.Constant):
                    found.setdefault(str(first.value), []).append(node)
    return found


def test_every_rule_that_is_reported_is_explained() -> None:
    found = reported()
    assert len(found) > 10, "the search found too few places to mean anything"
    assert set(found) | set(RULES_OF_REASONS.values()) <= set(RULES)


@pytest.mark.parametrize("rule", sorted(reported()))
def test_a_finding_that_needs_a_person_says_what_to_do(rule: str) -> None:
    """The fifth thing a finding says is its remedy; a note may go without."""
    for call in reported()[rule]:
        severity = call.args[1]
        note = isinstance(severity, ast.Attribute) and severity.attr == "NOTE"
        remedy = call.args[4] if len(call.args) > 4 else None
        named = [word.value for word in call.keywords if word.arg == "remedy"]
        assert note or remedy is not None or named, f"line {call.lineno}"


def test_a_finding_reads_the_same_wherever_it_is_kept() -> None:
    one = Finding("unposted", Severity.NOTE, "batch G 1", "40 lines are not posted.")
    assert one == Finding("unposted", Severity("note"), "batch G 1", "40 lines are not posted.")
    assert [severity.value for severity in Severity] == ["note", "reject", "difference", "ask"]
