"""The demo's company with some two hundred flows more: tables, windows of actuals, other models."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench.schedule import FLOW, MODEL, UNIT
from tieout.app import Instance
from tieout.settings import environment
from tieout.verbs import demo, demo_plan, practice, setting_up

LINES = 1000
TABLES = ("balances", "payables")
WINDOWS, MEMBERS = 20, 180  # with the tables and the demo's five: 207 flows
TENANTS, MODELS = 4, 4  # of each: as many lanes of runs beside that of the demo's model
MONTHS = range(1, 13)

WINDOW = """
[flows.{name}]
kind = "load_actuals"
from = "erp"
to = "planning"
ledgers = ["AA"]
companies = ["{company}"]
from_period = "{year}-{first:02d}"
to_period = "{year}-{last:02d}"
detail_from = "2024-01"
signs = {{ flip = ["4000-4999"] }}
import = "Load GL Actuals"
account_code = "object.subsidiary"
read_back = {{ view = "GL Actuals" }}
period_13 = {{ default = "fold" }}
columns = {{ "Company" = "company", "Account" = "account", "Cost Center" = "business_unit", \
"Time" = "period", "Amount" = "amount" }}
"""


def made(home: Path, url: str) -> Instance:
    """The demo's company, loaded and tied, its plan posted, with its further flows applied."""
    command = [sys.executable, "-m", "tieout", "--home", str(home)]
    subprocess.run(
        [*command, "demo", "--once", "--json", "--lines", str(LINES)], check=True,
        env=os.environ | {"TIEOUT_DATABASE": url}, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    os.environ["TIEOUT_DATABASE"] = url
    addresses = practice.start_practice(home)
    tenants = practice.control(home, "anaplan", "tenants", count=TENANTS, models=MODELS)["tenants"]
    text = (home / "tieout.toml").read_text()
    text = text.replace('kind = "submit_plan"', 'kind = "submit_plan"\nactuals = "actuals"')
    text += (home / demo.TABLES_FILE).read_text()
    text += "".join(map(_window, range(WINDOWS))) + _members(addresses["anaplan"], tenants)
    with demo_plan.desk(Instance(environment(str(home))), demo_plan.ALEX) as alex:
        setting_up.apply_project(alex, text)
        for number, tenant in enumerate(tenants):
            signs_in = {name: tenant[name] for name in ("username", "password")}
            setting_up.connect(alex, f"t{number}m0", signs_in)
    return Instance(environment(str(home)))


def _window(number: int) -> str:
    """A flow of a few months of one company's actuals; they share cells with the demo's flow."""
    company = demo.COMPANIES[number % len(demo.COMPANIES)]
    first = MONTHS[number * 5 % len(MONTHS)]
    year, last = (2024, 2025)[number % 2], min(MONTHS[-1], first + number % 3)
    return WINDOW.format(name=f"a{number:03d}", company=company, year=year, first=first, last=last)


def _members(anaplan: str, tenants: list[dict[str, Any]]) -> str:
    """The connections to the other models, and flows of a hundred members round them."""
    text, places = [], []
    for number, tenant in enumerate(tenants):
        for place, model in enumerate(tenant["models"]):
            places.append(f"t{number}m{place}")
            text.append(
                MODEL.format(
                    name=places[-1], anaplan=anaplan, tenant=tenant["tenant"],
                    workspace=tenant["workspace"], model=model, secret=f"tenant{number}",
                )
            )  # fmt: skip
    for number in range(MEMBERS):
        to = places[number % len(places)]
        text.append(FLOW.format(name=f"m{number:03d}", unit=UNIT, to=to))
    return "".join(text)
