"""The grid of failures on the wire: every call of a run times every way it can go wrong."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from random import Random
from typing import Any

SAMPLE = 12  # of the grid in `make test`; TIEOUT_CAMPAIGN=faults runs all of it
HTML = "<html><head><title>Sign in</title></head><body>Maintenance</body></html>"
GONE = '{"message":"Invalid token","exception":"Exception","timeStamp":""}'
EXPIRED = '{"sysErrors":[{"TITLE":"JAS_MSG347: result set expired","DESC":"JAS_MSG347"}]}'


@dataclass(frozen=True)
class Wrong:
    """One planned failure; `only` names the paths it makes sense on, all when empty."""

    name: str
    fields: dict[str, Any]
    only: tuple[str, ...] = field(default=())


BOTH = (
    Wrong("500", {"kind": "status", "status": 500, "body": "{}"}),
    Wrong("503 three times", {"kind": "status", "status": 503, "body": "", "times": 3}),
    Wrong("503 for long", {"kind": "status", "status": 503, "body": "", "times": 60}),
    Wrong("cut before", {"kind": "cut_before"}),
    Wrong("cut after", {"kind": "cut_after"}),
    Wrong("half an answer", {"kind": "truncate"}),
    Wrong("HTML instead", {"kind": "status", "status": 200, "body": HTML,
                           "content_type": "text/html"}),
    Wrong("redirected", {"kind": "status", "status": 302, "body": "",
                         "headers": {"Location": "http://127.0.0.1:9/elsewhere"}}),
    Wrong("429 with Retry-After", {"kind": "status", "status": 429, "body": "", "times": 2,
                                   "headers": {"Retry-After": "7"}}),
    Wrong("answer lost behind a 504", {"kind": "status_after", "status": 504, "body": ""}),
)  # fmt: skip
JDE = (
    Wrong("444", {"kind": "status", "status": 444, "body": GONE}),
    Wrong("403", {"kind": "status", "status": 403, "body": GONE}),
    Wrong("405", {"kind": "status", "status": 405, "body": "{}"}),
    Wrong("result set expired", {"kind": "status", "status": 500, "body": EXPIRED}),
    Wrong("result set expired, said with 200", {"kind": "status", "status": 200, "body": EXPIRED}),
    Wrong("the end told too early", {"kind": "replace", "find": '"moreRecords":true',
                                     "body": '"moreRecords":false'}, ("data", "next")),
    Wrong("more told than there is", {"kind": "replace", "find": '"moreRecords":false',
                                      "body": '"moreRecords":true'}, ("data", "next")),
    Wrong("a next link elsewhere", {"kind": "replace", "find": r"http://ais\.practice\.invalid",
                                    "body": "http://127.0.0.1"}, ("data", "next")),
)  # fmt: skip
ANAPLAN = (
    Wrong("401", {"kind": "status", "status": 401, "body": "{}"}),
    Wrong("403", {"kind": "status", "status": 403, "body": "{}"}),
    Wrong("404", {"kind": "status", "status": 404, "body": "{}"}),
    Wrong("409 three times", {"kind": "status", "status": 409, "body": "{}", "times": 3}),
    Wrong("423", {"kind": "status", "status": 423, "body": "{}"}),
)

JDE_PATHS: dict[str, dict[str, Any]] = {
    "sign-in": {"path": "/tokenrequest$"},
    "data": {"path": "/dataservice$"},
    "next": {"path": "/dataservice/next"},
    "sign-out": {"path": "/logout$"},
}
ANAPLAN_PATHS: dict[str, dict[str, Any]] = {
    "sign-in": {"path": "/token/authenticate"},
    "models": {"path": r"/models(\?|$)"},
    "lists": {"path": r"/lists(\?|$)"},
    "items": {"path": r"/items(\?|$)"},
    "imports": {"path": r"/imports(\?|$)"},
    "layout": {"path": r"/imports/\d+(\?|$)"},
    "announce": {"method": "POST", "path": r"/files/\d+$"},
    "chunk": {"method": "PUT", "path": "/chunks/"},
    "complete": {"path": "/complete$"},
    "tasks": {"method": "GET", "path": r"/tasks(\?|$)"},
    "start": {"method": "POST", "path": "/tasks$"},
    "poll": {"path": r"/tasks/\w+"},
    "views": {"path": r"/views(\?|$)"},
    "view": {"path": r"/views/\d+(\?|$)"},
    "ask": {"method": "POST", "path": "/readRequests$"},
    "asked": {"method": "GET", "path": r"/readRequests/\w+(\?|$)"},
    "page": {"path": "/pages/"},
    "forget": {"method": "DELETE", "path": "/readRequests/"},
    "sign-out": {"path": "/token/logout"},
}
NTH_MAX = {"data": 16, "next": 6, "items": 6, "tasks": 2}  # calls of that kind in one run


@dataclass(frozen=True)
class Case:
    """One failure on one call: a row of the grid."""

    system: str
    call: str
    wrong: Wrong
    nth: int

    @property
    def id(self) -> str:
        """How the test names it."""
        return f"{self.system} {self.call} {self.nth}: {self.wrong.name}"

    @property
    def fault(self) -> dict[str, Any]:
        """The fields of the fault."""
        paths = JDE_PATHS if self.system == "jde" else ANAPLAN_PATHS
        return {**paths[self.call], "nth": self.nth, **self.wrong.fields}


def grid(dice: Random) -> list[Case]:
    """Every call times every failure; which of several like calls is drawn."""
    found = []
    for system, paths, own in (("jde", JDE_PATHS, JDE), ("anaplan", ANAPLAN_PATHS, ANAPLAN)):
        for call in paths:
            for wrong in (*BOTH, *own):
                if not wrong.only or call in wrong.only:
                    nth = dice.randrange(1, NTH_MAX.get(call, 1) + 1)
                    found.append(Case(system, call, wrong, nth))
    return found


def cases() -> list[Case]:
    """The sample of this run's seed, or the whole grid in a campaign."""
    dice = Random(f"{os.environ['TIEOUT_SEED']} wire faults")
    every = grid(dice)
    whole = "faults" in os.environ.get("TIEOUT_CAMPAIGN", "")
    return every if whole else dice.sample(every, SAMPLE)
