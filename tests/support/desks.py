"""An instance without practice systems, and a desk for each person who acts on it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from tieout.app import Instance
from tieout.settings import Environment
from tieout.store.home import make_home
from tieout.verbs import people, setting_up

PROJECT = """
[outgoing]
allow = ["http://127.0.0.1:9"]
[connections.erp]
system = "jde"
url = "http://127.0.0.1:9/jderest"
environment = "JPD920"
secret = "secret://erp"
allow_http = true
[connections.planning]
system = "anaplan"
api_url = "http://127.0.0.1:9/2/0"
auth_url = "http://127.0.0.1:9"
workspace = "Finance"
model = "FP&A 2026"
secret = "secret://planning"
allow_http = true
[flows.companies]
kind = "load_members"
members = "companies"
from = "erp"
to = "planning"
import = "Load Companies"
read_back = { list = "Companies" }
columns = { "Code" = "code" }
"""
# Who is who: anna prepares, ben and carla approve, dora looks, eve administers, finn audits.
ROLES = {
    "eve": ("admin",), "anna": ("operator",), "ben": ("approver",), "carla": ("approver",),
    "dora": ("viewer",), "finn": ("auditor",),
}  # fmt: skip
EVERYBODY = ("operator", "approver", "admin", "auditor", "viewer")


DAY_SECONDS = 86_400


class Watch:
    """A clock that stands still until it is moved, but for a millisecond at each look."""

    def __init__(self) -> None:
        self._at = datetime(2026, 1, 5, 6, 0, tzinfo=UTC)

    def now(self) -> datetime:
        self._at += timedelta(milliseconds=1)
        return self._at

    def monotonic(self) -> float:
        return self._at.timestamp()

    def sleep(self, seconds: float) -> None:
        self._at += timedelta(seconds=seconds)


class Office:
    """One instance; `desk` is it as one person's process sees it."""

    def __init__(self, home: Path, url: str = "") -> None:
        self.home, self.clock = home, Watch()
        self.url = url or f"sqlite:///{home / 'tieout.sqlite'}"
        self.secrets: dict[str, str] = {}
        self._open: list[Instance] = []
        make_home(home)
        self.owner = self.with_token("")
        setting_up.make_instance(self.owner)
        setting_up.apply_project(self.owner, PROJECT)
        self.store = self.owner.store

    def with_token(self, token: str) -> Instance:
        """The instance in a process whose TIEOUT_TOKEN is this."""
        told = Environment(
            home=self.home, database=self.url, records="", clock_url="", kill_at="",
            log_level="WARNING", token=token,
        )  # fmt: skip
        self._open.append(Instance(told, self.clock))
        return self._open[-1]

    def people(self) -> Office:
        """The usual people are users from now on."""
        for name, roles in ROLES.items():
            by = self.owner if name == "eve" else self.desk("eve")
            made = people.add_user(by, name, roles, 90)
            self.secrets[name] = made["secret"]
        return self

    def desk(self, name: str) -> Instance:
        """The instance where this person acts."""
        return self.with_token(self.secrets[name])

    def close(self) -> None:
        """Let go of everything."""
        for instance in self._open:
            instance.close()
