"""The composition root: an instance in its directory, and the world each of its runs is told in."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from tieout.anaplan.client import Anaplan, Connection
from tieout.anaplan.names import Pins
from tieout.clock import Clock, PracticeSystemsClock, SystemClock
from tieout.doors import Doors, secret_name
from tieout.engine.places import Places, RestingClock
from tieout.engine.story import Failpoint
from tieout.errors import Misconfigured, Trouble
from tieout.flows.compacting import compact
from tieout.flows.configured import configured, plan_of, shared, target
from tieout.flows.load_actuals import load_actuals, tie_out
from tieout.flows.load_members import load_members
from tieout.flows.load_table import load_table
from tieout.flows.load_table import tie_out as tie_out_table
from tieout.flows.mirror import KnownReads
from tieout.flows.parts import read_part
from tieout.flows.period_look import Seen, look_at_periods
from tieout.flows.prepare_plan import prepare_plan
from tieout.flows.submit_plan import follow_journals, submit_plan
from tieout.flows.world import Evidence, Patience, World
from tieout.http import TRIES
from tieout.jde.client import Jde
from tieout.jde.credentials import credentials_in
from tieout.jde.session import sign_out
from tieout.outgoing import Once
from tieout.project import (
    REQUESTS_A_MINUTE,
    AnaplanConnection,
    JdeConnection,
    Project,
)
from tieout.project_tables import LoadTable
from tieout.project_text import differences, read_file
from tieout.project_words import seconds
from tieout.settings import Environment, read_project
from tieout.store import anchors, parts, seat_line, seats
from tieout.store.budget import Budget, Rate
from tieout.store.configs import Config
from tieout.store.files import place_for
from tieout.store.kept import Known
from tieout.store.keys import place_for as place_of_key
from tieout.store.looks import Current
from tieout.store.seats import Room, Seat, Sitter
from tieout.store.store import Store

PROJECT_FILE = "tieout.toml"
PARTS_MAX = 32  # of a large read, where several processes may read them
PARSED_KEPT = 4  # configurations; runs of an older one are rare


def _tie_out(run: Any, world: World[Any]) -> dict[str, Any]:
    """Both sides compared as they are now, by the story of the flow's kind."""
    story = tie_out_table if isinstance(world.flow, LoadTable) else tie_out
    return story(run, world)


STORIES: Mapping[str, Callable[..., Any]] = {
    "load_members": load_members,
    "load_actuals": load_actuals,
    "load_table": load_table,
    "tie_out": _tie_out,
    parts.KIND: read_part,
    "compact": compact,
    "prepare_plan": prepare_plan,
    "submit_plan": submit_plan,
    "follow_journals": follow_journals,
}


class Instance:
    """One instance: its directory, store, clock and applied configuration."""

    def __init__(
        self, environment: Environment, clock: Clock | None = None,
        failpoint: Failpoint | None = None,
    ) -> None:  # fmt: skip
        """`failpoint(step, point)` is called at every moment a crash test may choose."""
        self.environment = environment
        self._failpoint = failpoint
        self.home: Path = environment.home
        chosen = PracticeSystemsClock(environment.clock_url) if environment.clock_url else None
        self.places = Places()
        self.clock: Clock = RestingClock(clock or chosen or SystemClock(), self.places)
        self.given_clock: Clock | None = clock or chosen  # not the machine's own
        url = environment.database if not environment.database.startswith("sqlite") else None
        anchor = anchors.named(environment.anchor, environment.standard)
        place = place_for(environment.records, self.home, environment.standard)
        keys = place_of_key(self.home, environment.key)
        self.store = Store(self.home, self.clock, url, anchor, place, keys)
        self.credential = ""  # of who asked over the network, see `acting_with`
        self.fence: Callable[[], None] = _alone  # raises when others may tell our runs by now
        self.doors = Doors(self.store, self.clock, _Fence(self), self.failpoint())
        self.kept_tables: dict[tuple[str, ...], pl.DataFrame] = {}  # by the ids of their files
        self.kept_digests: dict[tuple[str, ...], str] = {}  # of batches, by the ids of their files
        self.kept_previews: dict[tuple[str, ...], dict[str, Any]] = {}  # of what would be sent
        self.kept_reads: KnownReads = {}  # of flows of actuals, for who looks at what is kept
        self.kept_calls: Known = {}  # what calls of runs were hashed to, for who looks at them
        self._parsed: dict[int, Project] = {}  # by version
        self._budgets: dict[tuple[str, Rate], Budget] = {}

    def close(self) -> None:
        """Let go of the database."""
        self.store.close()

    def acting_with(self, credential: str) -> Instance:
        """The same instance, open once, as the holder of a session or token acts on it."""
        assert credential, "nobody acts as the owner by asking over the network"
        other = copy.copy(self)
        other.credential = credential
        return other

    def looking_once(self) -> Instance:
        """The same instance, which asks for the address of each name once: for a test."""
        other = copy.copy(self)
        other.doors = replace(self.doors, resolve=Once(self.doors.resolve))
        return other

    def project(self) -> Project:
        """The applied configuration; Misconfigured when `tieout.toml` says something else."""
        applied = self.store.config()
        path = self.home / PROJECT_FILE
        if applied is None:
            raise Misconfigured(
                f"Nothing is configured in {self.home} yet.",
                do="Run `tieout init`, or `tieout demo`.",
            )
        if path.exists() and (written := read_file(path)) != applied.text:
            told = "; ".join(differences(applied.text, written))
            raise Misconfigured(
                f"{path} differs from the applied configuration (version {applied.version}): "
                f"{told}.",
                untouched="Nothing was run.",
                do="`tieout config apply --why …` applies the file; `tieout config export > "
                f"{PROJECT_FILE}` puts the applied text back.",
            )
        return self._parsed.get(applied.version) or self._parse(applied, str(path))

    def applied(self, version: int | None = None) -> Project:
        """A configuration as it was applied: the newest, or the one a run was begun under."""
        if version is not None and version in self._parsed:
            return self._parsed[version]
        config = self.store.config(version)
        if config is None:
            raise Misconfigured(
                f"Nothing is configured in {self.home} yet.", do="Run `tieout init`."
            )
        known = self._parsed.get(config.version)
        return known or self._parse(config, f"configuration {config.version}")

    def _parse(self, config: Config, source: str) -> Project:
        """Read a configuration, and keep it: a version never changes, and a file may be large."""
        project = read_project(config.text, source)
        self._parsed[config.version] = project  # the same for who acts with another credential
        for version in sorted(self._parsed)[:-PARSED_KEPT]:
            self._parsed.pop(version, None)
        return project

    @contextmanager
    def world_for(self, run_id: str, *, looking: bool = False) -> Iterator[World[Any]]:
        """Both connections of a run's flow, closed (signed out) at the end whatever happens.

        A part is told in the world of the run it is a part of, with seats of its own. `looking`:
        not to tell the run, which another process may be telling at this moment.
        """
        part = self.store.run(run_id)
        run = self.store.run(part.part_of) if part.part_of else part
        project = self.applied(run.config_version)
        flow = project.flows.get(run.flow)
        if flow is None:
            raise Misconfigured(f"The flow {run.flow} is not configured any more.")
        evidence, patience = Evidence(), Patience()
        with ExitStack() as open_things:
            erp = project.jde(flow)
            room = self._room(project.jde_name(flow), erp)
            sitter = self._sitter(f"look at {run_id}" if looking else run_id, patience)
            if not (part.finished or looking):
                self._free_seats_of(run_id)
                open_things.callback(self._end_what_is_left, project, room, run_id)
            readers = [
                self._jde(project, room, sitter, evidence, open_things)
                for _ in range(erp.readers_a_run or erp.readers)
            ]
            planning = project.anaplan(flow)
            anaplan = self._anaplan(project, planning, evidence, open_things)
            yield World(
                flow_name=run.flow, flow=flow, number=run.number, asked=run.asked, readers=readers,
                anaplan=anaplan, store=self.store, clock=self.clock,
                dimensions=project.lists_of(project.anaplan_name(flow)),
                configured=configured(project, flow), target=target(project, flow),
                chunk_bytes=planning.chunk_bytes, tenant=planning.tenant,
                executor=self.store.database.executor,
                somebody_waits=partial(self._somebody_waits, room),
                plan=plan_of(project, flow), evidence=evidence, patience=patience,
                outdated=partial(self._outdated, run.flow, shared(project, flow)),
                moment=self.failpoint(), parts_max=erp.parts or self._parts_max(),
                part=part.asked if part.part_of else {},
            )  # fmt: skip

    def _outdated(self, name: str, begun: str) -> str:
        """What was applied since a run of a flow was begun under `begun`; "" when nothing was."""
        newest, version = self.applied(), getattr(self.store.config(), "version", 0)
        flow = newest.flows.get(name)
        if flow is not None and shared(newest, flow) == begun:
            return ""
        done = "was removed from" if flow is None else "was changed in"
        return f"the flow {name} {done} the configuration (version {version})"

    def look_at_periods(
        self, project: Project, connection: str, companies: Sequence[str],
        known: Mapping[str, Current],
    ) -> Seen:  # fmt: skip
        """Where companies stand in JD Edwards now, in a session of its own."""
        erp = project.connections[connection]
        assert isinstance(erp, JdeConnection)  # held by `consistency`
        with ExitStack() as open_things:
            room = self._room(connection, erp)
            looking = self._sitter(f"periods of {connection}")  # no run, but in line as one
            jde = self._jde(project, room, looking, Evidence(), open_things)
            return look_at_periods(jde, companies, known)

    def jde_alone(self, project: Project, name: str, open_things: ExitStack) -> Jde:
        """A session of its own, for a connection test: it takes a seat, and tries once."""
        erp = project.connections[name]
        assert isinstance(erp, JdeConnection), "the caller has looked"
        room = self._room(name, erp)
        sitter = self._sitter(f"ping of {name}")
        return self._jde(project, room, sitter, Evidence(), open_things, tries=1)

    def anaplan_alone(self, project: Project, name: str, open_things: ExitStack) -> Anaplan:
        """The same for Anaplan."""
        planning = project.connections[name]
        assert isinstance(planning, AnaplanConnection), "the caller has looked"
        return self._anaplan(project, planning, Evidence(), open_things, tries=1)

    def _sitter(self, run: str, patience: Patience | None = None) -> Sitter:
        return Sitter(run, self.store.database.executor, patience or Patience())

    def _room(self, name: str, connection: JdeConnection) -> Room:
        return Room(name, connection.readers, self.store.safe.keys)

    def _parts_max(self) -> int:
        """One process alone would only wait between parts: a SQLite file has one executor."""
        return 1 if self.store.database.is_sqlite else PARTS_MAX

    def _free_seats_of(self, run: str) -> None:
        """This run is told anew: what an earlier telling could not give back is free."""
        with self.store.database.read() as reading:
            if not seats.is_held_by(reading, run):
                return
        self.store.database.transact(lambda c: seats.free_of(c, run))

    def _end_what_is_left(self, project: Project, room: Room, run: str) -> None:
        """The same as `end_left_sessions`; trouble with what others left is not this run's."""
        with suppress(Trouble):
            self.end_left_sessions(project, room, run)

    def end_left_sessions(self, project: Project, room: Room, run: str = "") -> int:
        """Sign out the sessions that dead processes left on their seats; how many there were.

        The next holder of a seat does the same, but perhaps nobody wants the seat for long. `run`
        is told by this process: what another one left of it is of a dead one.
        """
        me = self._sitter(run)
        with self.store.database.read() as reading:
            if not seats.may_be_left(reading, room, me):
                return 0
        left = self.store.database.transact(lambda c: seats.left_behind(c, room, me))
        connection = project.connections[room.connection]
        assert isinstance(connection, JdeConnection), "it is the one a flow reads from"
        http = self.doors.http(project, connection.url, connection, Evidence(), "JD Edwards")
        for session in left:
            token = room.opened(session)  # nothing when another key sealed it
            if not token or sign_out(http, connection, token):
                self.store.database.transact(partial(seats.ended, room=room, session=session))
        http.close()
        return len(left)

    def _somebody_waits(self, room: Room) -> bool:
        with suppress(Trouble), self.store.database.read() as connection:
            return seat_line.waited_for(connection, room.connection)
        return False  # it is asked again at the next pause

    def _jde(
        self, project: Project, room: Room, sitter: Sitter, evidence: Evidence, close: ExitStack,
        tries: int = TRIES,
    ) -> Jde:  # fmt: skip
        connection = project.connections[room.connection]
        assert isinstance(connection, JdeConnection), "it is the one a flow reads from"
        url = connection.url
        http = self.doors.http(project, url, connection, evidence, "JD Edwards", tries=tries)
        close.callback(http.close)
        opened = partial(self.store.safe.opened, secret_name(connection.secret))
        seat = Seat(self.store.database, room, sitter, self.clock)
        jde = Jde(http, connection, lambda: credentials_in(opened()), self.clock, seat)
        close.callback(jde.close)
        return jde

    def _anaplan(
        self, project: Project, connection: AnaplanConnection, evidence: Evidence, close: ExitStack,
        tries: int = TRIES,
    ) -> Anaplan:  # fmt: skip
        turns = self._budget(connection)
        door = partial(self.doors.http, project, tries=tries)
        api = door(connection.api_url, connection, evidence, "Anaplan", turns)
        auth = self.doors.http(
            project, connection.auth_url, connection, evidence, "Anaplan's sign-in", tries=tries
        )
        close.callback(api.close)
        close.callback(auth.close)
        chosen = Connection(
            workspace=connection.workspace, model=connection.model,
            poll_seconds=seconds(connection.poll),
            task_seconds_max=seconds(connection.task_timeout),
            quiet_seconds=seconds(connection.start_quiet),
            pins=Pins(
                connection.workspace_id, connection.model_id,
                (connection.stage or "") if tries == TRIES else "",  # a test may look all the same
            ),
        )  # fmt: skip
        how = self.doors.sign_in(project, connection, auth, close, evidence, tries)
        anaplan = Anaplan(api, auth, chosen, how, self.clock)
        close.callback(anaplan.close)
        return anaplan

    def _budget(self, connection: AnaplanConnection) -> Budget:
        """The turns of this process at a tenant, whichever run asks (calls to sign in are free)."""
        rate = Rate(REQUESTS_A_MINUTE - connection.headroom, connection.burst)
        shared = self.given_clock is None
        made = Budget(self.store.database, connection.tenant, rate, self.clock, by_database=shared)
        return self._budgets.setdefault((connection.tenant, rate), made)

    def failpoint(self) -> Failpoint:
        """As it was given, else what kills this process at TIEOUT_KILL_AT, for crash tests."""
        return self._failpoint or self._kill

    def _kill(self, step: str, point: str) -> None:
        wanted = self.environment.kill_at
        if wanted and wanted == f"{step}:{point}":
            os.kill(os.getpid(), 9)


class _Fence:
    """Before each request: whether this process may still act for the runs it tells."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    def wait(self) -> None:
        """Raises what the executor raises when others may tell its runs by now."""
        self._instance.fence()

    def refused(self, seconds: float | None) -> None:
        """A 429 is no matter of ours."""


def _alone() -> None:
    """Nobody else tells what this process tells."""
