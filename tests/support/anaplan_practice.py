"""A practice Anaplan with two small models, served over HTTP for the contract tests."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2

from tieout.sim.anaplan import build
from tieout.sim.anaplan.state import LINE_ITEMS_ID, TIME_ID
from tieout.sim.anaplan.system import AnaplanSystem, open_system
from tieout.sim.box import Box, serve
from tieout.sim.clock import PracticeClock

EMAIL, PASSWORD = "loader@example.com", "open sesame"
OTHER = "other@example.com"
ACCOUNTS_HEAD = "Code,Name,Parent,Active,Rank\n"
LEDGER_HEAD = "Company,Account,Time,Amount,Note,Open,Due,Twice\n"


class Practice:
    """A client without opinions, and the model's ids by name."""

    def __init__(
        self, url: str, system: AnaplanSystem, clock: PracticeClock, model: str = "Small"
    ) -> None:
        self.url, self.system, self.clock = url, system, clock
        self.http = httpx2.Client(timeout=30, verify=False)
        self.token = ""
        self.workspace = self.one("select id from workspaces")
        self.model = self.one("select id from models where name = ?", model)
        self.path = f"/2/0/models/{self.model}"

    def one(self, sql: str, *values: str) -> str:
        """One value of the state, for finding ids."""
        return str(self.system.state.row(sql, *values)[0])

    @property
    def second(self) -> str:
        """The id of the other model of the workspace."""
        return self.one("select id from models where name = 'Second'")

    def id(self, kind: str, name: str) -> str:
        """The id of an object of the small model."""
        return self.system.state.named(self.model, kind, name).id

    def send(self, method: str, path: str, **options: Any) -> httpx2.Response:
        """One request with the present token; `path` is absolute."""
        headers = {"Authorization": f"AnaplanAuthToken {self.token}"}
        headers |= options.pop("headers", {})
        return self.http.request(method, self.url + path, headers=headers, **options)

    def on_model(self, method: str, path: str, **options: Any) -> httpx2.Response:
        """One request below the small model's path."""
        return self.send(method, self.path + path, **options)

    def get(self, path: str, **options: Any) -> Any:
        """The JSON of a GET below the small model's path, which has to succeed."""
        answer = self.on_model("GET", path, **options)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def sign_in(self, email: str = EMAIL, password: str = PASSWORD) -> httpx2.Response:
        """Basic sign-in; keeps the token when there is one."""
        text = base64.b64encode(f"{email}:{password}".encode()).decode()
        answer = self.http.post(
            self.url + "/token/authenticate", headers={"Authorization": f"Basic {text}"}
        )
        if answer.status_code == 201:
            self.token = answer.json()["tokenInfo"]["tokenValue"]
        return answer

    def switch(self, name: str, value: Any) -> None:
        """Set a switch of the practice system."""
        self.system.control("switch", {"name": name, "value": value})

    def person(self, do: str, **body: Any) -> dict[str, Any]:
        """A person does something in the small model."""
        return self.system.control("people", {"do": do, "model": self.model, **body})

    def source(self, name: str) -> str:
        """The file id of an import."""
        return str(self.system.state.named(self.model, "import", name).data["source"])

    def upload(self, name: str, text: str | bytes) -> str:
        """Put an import's file in one call; the file's id."""
        file, body = self.source(name), text.encode() if isinstance(text, str) else text
        head = {"Content-Type": "application/octet-stream"}
        assert self.on_model("PUT", f"/files/{file}", content=body, headers=head).is_success
        return file

    def start(self, kind: str, name: str) -> str:
        """Start a task; its path below the model."""
        word = {"processes": "process"}.get(kind, kind.removesuffix("s"))
        tasks = f"/{kind}/{self.id(word, name)}/tasks"
        answer = self.on_model("POST", tasks, json={"localeName": "en_US"})
        assert answer.status_code == 200, answer.text
        return f"{tasks}/{answer.json()['task']['taskId']}"

    def finish(self, task: str) -> dict[str, Any]:
        """Let a minute pass and read the result of a task."""
        self.clock.advance(60)
        status = self.get(task)["task"]
        assert status["taskState"] == "COMPLETE", status
        return dict(status["result"])

    def load(self, name: str, text: str | bytes) -> dict[str, Any]:
        """Upload a file, run its import, and return the result."""
        self.upload(name, text)
        return self.finish(self.start("imports", name))

    def dump_of(self, name: str) -> list[str]:
        """The lines of the dump of an import's last task."""
        action = self.id("import", name)
        task = self.get(f"/imports/{action}/tasks")["tasks"][-1]["taskId"]
        answer = self.on_model("GET", f"/imports/{action}/tasks/{task}/dump")
        assert answer.status_code == 200
        return answer.text.splitlines()

    def cells(self) -> dict[tuple[str, ...], str]:
        """All non-zero cells of the module "Ledger", by line item, company, account, month."""
        rows = self.system.control("cells", {"module": "Ledger", "model": self.model})["cells"]
        names = ("line_item", "Companies", "Accounts", "Time")
        return {tuple(row[n] for n in names): row["value"] for row in rows}


def counts(detail: dict[str, Any]) -> dict[str, str]:
    """The flat list of a result detail as a mapping."""
    flat = detail["values"]
    return dict(zip(flat[::2], flat[1::2], strict=True))


def fill(system: AnaplanSystem) -> None:
    """Two users, a workspace with a second and a small model, and its lists, module, actions."""
    state = system.state
    build.add_user(state, EMAIL, PASSWORD)
    build.add_user(state, OTHER, PASSWORD)
    space = build.add_workspace(state, "Finance")
    model = build.add_model(state, space, "Small", (2024, 2025))
    build.add_model(state, space, "Second")
    companies = build.add_list(
        state, model, "Companies", top="All", items=[("00001", "Main"), ("00002", "Euro, Inc")]
    )
    accounts = build.add_list(
        state, model, "Accounts", items=[("PL", "Profit and loss"), ("5005", "Rent")],
        properties=[("Active", "BOOLEAN"), ("Rank", "NUMBER")],
    )  # fmt: skip
    _actions(system, model, companies, accounts)
    state.db.commit()


def _actions(system: AnaplanSystem, model: str, companies: str, accounts: str) -> None:
    state = system.state
    module, items = build.add_module(
        state, model, "Ledger", [companies, accounts, TIME_ID],
        [("Amount", "NUMBER"), ("Note", "TEXT"), ("Open", "BOOLEAN"), ("Due", "DATE"),
         ("Twice", "=Amount * 2")],
    )  # fmt: skip
    keys = {"Company": companies, "Account": accounts, "Time": TIME_ID}
    columns: dict[str, Any] = {name: {"dimension": d} for name, d in keys.items()}
    columns |= {name: {"line_item": id_} for name, id_ in items.items()}
    load_accounts = build.add_list_import(
        state, model, "Load Accounts", build.add_file(state, model, "Accounts.csv"), accounts,
        {"Code": "code", "Name": "name", "Parent": "parent", "Active": "property:Active",
         "Rank": "property:Rank"},
    )  # fmt: skip
    ledger = build.add_file(state, model, "Ledger.csv")
    load = build.add_module_import(state, model, "Load Ledger", ledger, module, columns)
    long = {name: {"dimension": d} for name, d in keys.items()}
    build.add_module_import(
        state, model, "Load Long", build.add_file(state, model, "Long.csv"), module,
        {**long, "Line Item": {"line_item_column": True}, "Value": {"value": True}},
    )  # fmt: skip
    axes = {"rows": [companies, accounts], "columns": [TIME_ID], "pages": [LINE_ITEMS_ID]}
    view = build.add_view(state, model, "Flat", module, axes, filtered=True)
    state.add(model, "process", "Load All", actions=[load_accounts, load])
    layout = "TABULAR_MULTI_COLUMN"
    state.add(model, "export", "Ledger Export", view=view, layout=layout)
    state.add(
        model, "action", "Delete Inactive", list=accounts, property="Active", value="false"
    )  # fmt: skip


@contextmanager
def practice(folder: Path) -> Iterator[Practice]:
    """A served practice Anaplan, signed in."""
    clock = PracticeClock()
    system = open_system(folder / "anaplan.sqlite", clock)
    fill(system)
    url, stop = serve(Box(system, clock), 0, control=False)
    served = Practice(url, system, clock)
    served.sign_in()
    try:
        yield served
    finally:
        served.http.close()
        stop()
        system.close()
