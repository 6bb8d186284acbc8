"""One line of the API's table, and one call of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from msgspec import Struct
from starlette.requests import Request

from tieout.app import Instance
from tieout.core.policy import Act, Actor, Thing
from tieout.web.api.values import NoQuery


@dataclass(frozen=True, slots=True)
class Call:
    """One call; `instance` acts as the holder of the token that came with it."""

    instance: Instance
    actor: Actor
    request: Request
    query: Any
    body: Any

    def part(self, name: str) -> str:
        """What the path says in the place of `{name}`."""
        return str(self.request.path_params[name])


@dataclass(frozen=True, slots=True)
class File:
    """An answer that is no value but a file, which is sent as it lies there."""

    media_type: str


@dataclass(frozen=True, slots=True)
class Operation:
    """What is called by this method and path, and what it takes.

    `act` is what the holder of the token must be allowed to do, `loads` finds the thing that the
    path names. `answers` is what comes back, with the status `status`: a value, or a File whose
    path `do` gives.
    """

    path: str
    method: str
    act: Act
    do: Callable[[Call], Any]
    answers: Any
    loads: Callable[[Call], Thing] | None = None
    query: type[Struct] = field(default=NoQuery)
    body: type[Struct] | None = None
    status: int = 200

    @property
    def name(self) -> str:
        """Its name in the description: runs_list."""
        words = [w for w in self.path.replace("{", "").replace("}", "").split("/") if w]
        return "_".join([self.method.lower(), *words]).replace("-", "_")
