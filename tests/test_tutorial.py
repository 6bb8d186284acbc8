"""A stranger who types the commands of the tutorial, and no other, comes to a load that ties."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from demo_home import free_ports

PAGE = Path(__file__).parent.parent / "docs" / "tutorial.md"
PORTS = ("9300", "9301")  # of the page; the only thing that is changed in it
SECONDS_MAX = 600
Told = list[tuple[str, str]]
FIRST_LOAD = "F0911 = F0902 = Anaplan"


def commands() -> list[str]:
    """Every command of the page's blocks, in their order."""
    blocks = re.findall(r"^```sh\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.S | re.M)
    return [line for block in blocks for line in block.splitlines() if line.strip()]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """Each command and what it printed, all of them done in their order in an empty directory."""
    folder = tmp_path_factory.mktemp("tutorial")
    ours = {k: v for k, v in os.environ.items() if not k.startswith(("TIEOUT_", "PYTHONDONT"))}
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    found = []
    first = free_ports()
    for line in commands():
        command = line
        for named, free in zip(PORTS, (first, first + 1), strict=True):
            command = command.replace(named, str(free))
        done = subprocess.run(
            ["bash", "-ec", command], cwd=folder, env={**ours, "PATH": path}, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=SECONDS_MAX, check=False,
        )  # fmt: skip
        found.append((line, done.stdout))
        if done.returncode:
            stop = ["tieout", "sim", "--home", "practice", "--stop"]
            subprocess.run(stop, cwd=folder, env={**ours, "PATH": path}, check=False)
            pytest.fail(f"{command}: exit code {done.returncode}\n{done.stdout}")
    return found


def said(told: Told, begins: str) -> list[str]:
    """What the commands that begin so printed, in words without line ends."""
    return [" ".join(text.split()) for line, text in told if line.startswith(begins)]


def test_every_command_of_the_tutorial_succeeds_and_the_load_ties(told: Told) -> None:
    first, second = said(told, "tieout run actuals")
    assert FIRST_LOAD in first
    assert "complete" in first
    assert "Anaplan was not asked" in second
    (table,) = said(told, "tieout tie-out")
    assert "cells tie." in table
    assert "Company 00060" in table
    (story,) = said(told, "tieout trace")
    assert "tieout trace --company 00060 --account" in story
    assert "Mar 25" in story


def test_the_systems_are_reached_through_tls_and_the_certificate(told: Told) -> None:
    (rungs,) = said(told, "tieout ping")
    assert "✗" not in rungs
    assert rungs.count("TLSv1") == 2
    (made,) = said(told, "tieout sim --home practice --tls")
    assert "https://" in made
    assert "http://" not in made


def test_the_page_tells_every_command_that_its_own_output_asks_for(told: Told) -> None:
    (pinned,) = said(told, "tieout discover planning --pin")
    (asked,) = re.findall(r"`(tieout config apply[^`]*)`", pinned)
    assert asked in [line for line, _ in told]
