"""Notices: people are told, elsewhere, of what they have to look at; heartbeats say that it ran.

They carry names, counts and rules, and where to look: no amount, no account, no word of a peer,
for they leave this instance. What cannot be sent is told here, and fails no run.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from contextlib import closing
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from tieout import messengers
from tieout.app import Instance
from tieout.core.findings import counted
from tieout.doors import secret_name
from tieout.errors import Misconfigured, Trouble, Uncertain
from tieout.messengers import Door
from tieout.outgoing import Allowed
from tieout.project import Notice, Project, Schedule
from tieout.project_words import seconds
from tieout.store import notices
from tieout.store.notices import Event, Note
from tieout.through import Means, Through
from tieout.verbs import acting

PAUSE_SECONDS = 15.0
DAYS_BACK_MAX = 7  # each look goes so far back: runs that ended while nobody served
NOTES_AT_ONCE_MAX = 50  # of one look; the rest goes with the next
TRY_AGAIN_MINUTES = (1, 5, 30, 120)  # after each try that did not arrive; then it has failed
FAILED_EXIT_CODE = 4
HEARTBEAT = "heartbeat of "
SUFFIXES = {"start": "/start", "done": "", "fail": "/fail"}  # as healthchecks.io reads them
TEST_SUFFIX = "/log"  # there: neither a begin nor an end
SECRET = "secret://"  # noqa: S105 - how a reference to a sealed address begins
FIELD = "url"

log = logging.getLogger(__name__)


class Notices:
    """Tells in a thread of its own, in every process that executes runs."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._work, name="notices", daemon=True)

    def start(self) -> None:
        """From now on, until `close`."""
        self._thread.start()

    def close(self, timeout_seconds: float) -> None:
        """Begin to send nothing more."""
        self._closing.set()
        self._thread.join(timeout_seconds)

    def _work(self) -> None:
        works = True
        while not self._closing.wait(PAUSE_SECONDS):
            try:
                tell(self._instance)
                works = True
            except Exception:  # this thread is the only one that tells
                if works:  # told once, not at every look
                    log.exception("notices could not be looked at")
                works = False


def tell(instance: Instance) -> int:
    """Tell what is to be told now; how many were sent. No run fails for a notice: it is logged."""
    try:
        if instance.store.config() is None:
            return 0
        project = instance.applied()
        if not project.notices and not any(s.heartbeat for s in project.schedules.values()):
            return 0
        _collect(instance, project)
        return _deliver(instance, project)
    except Trouble as trouble:
        log.warning("notices could not be looked at: %s", trouble.sentence())
    return 0


def overview(instance: Instance) -> dict[str, Any]:
    """What was told lately and what could not be; exit code 4 when something could not."""
    acting.require(instance, "view")
    with instance.store.database.read() as connection:
        found = [_as_json(note) for note in notices.listed(connection)]
    failed = [one for one in found if one["state"] in ("failed", "uncertain")]
    code = FAILED_EXIT_CODE if failed else 0
    return {"ok": not failed, "exit_code": code, "notices": found}


def test(instance: Instance, name: str) -> dict[str, Any]:
    """Send one notice that says that it is a test; Trouble when it does not arrive.

    NAME may be a schedule with a heartbeat, whose receiver is told of an event that counts nothing.
    """
    acting.require(instance, "test connections")
    project = instance.project()
    if (beats := _beating(project, name)) is not None:
        _beat(instance, project, beats, TEST_SUFFIX)
        return {"ok": True, "notice": name}
    notice = _notice(instance, name)
    event = {"event": "test", "sentence": "This is a test of Tieout's notices."}
    _post(instance, project, notice, event)
    return {"ok": True, "notice": name}


def connect(instance: Instance, name: str, fields: Mapping[str, str]) -> str:
    """Seal the address of a notice, or of a schedule's heartbeat; the name of its secret."""
    by = acting.require(instance, "set credentials")
    beats = _beating(instance.project(), name)
    to = beats.heartbeat if beats is not None else _notice(instance, name).to
    if not to.startswith(SECRET):
        raise Misconfigured(
            f"The address of {name} stands in the project file; only secret://NAME is sealed.",
            untouched="Nothing was kept.",
        )
    if set(fields) != {FIELD} or not fields[FIELD].strip():
        raise Misconfigured(
            f"The address of {name} is one JSON object with the field {FIELD}.",
            untouched="Nothing was kept.",
        )
    instance.store.safe.put(secret_name(to), dict(fields), by.name)
    return secret_name(to)


# ------------------------------------------------------------------ what is to be told


def _collect(instance: Instance, project: Project) -> None:
    """A row for everything that happened since each notice began, unless it has one."""

    def write(connection: Any) -> None:
        now = instance.clock.now()
        for name, notice in project.notices.items():
            since = _since(connection, name, now)
            happened = [
                *notices.ended_runs(connection, since), *notices.not_run(connection, since),
                *notices.waiting(connection, now - timedelta(seconds=seconds(notice.waits))),
                *notices.ending(connection, now),
            ]  # fmt: skip
            for event in happened:
                if _wanted(notice, event):
                    notices.add(connection, name, event, now)
        for name, schedule in project.schedules.items():
            if schedule.heartbeat:
                since = _since(connection, HEARTBEAT + name, now)
                for event in notices.beats(connection, name, since):
                    notices.add(connection, HEARTBEAT + name, event, now)

    instance.store.database.transact(write)


def _since(connection: Any, name: str, now: datetime) -> datetime:
    """From when on a notice tells; what nobody could send for so long is not told any more."""
    return max(notices.begin(connection, name, now), now - timedelta(days=DAYS_BACK_MAX))


def _wanted(notice: Notice, event: Event) -> bool:
    of_flow = not notice.flows or not event.flow or event.flow in notice.flows
    return event.event in notice.on and of_flow


# ------------------------------------------------------------------ sending


def _deliver(instance: Instance, project: Project) -> int:
    sent = 0
    for _ in range(NOTES_AT_ONCE_MAX):
        now = instance.clock.now()
        note = instance.store.database.transact(partial(notices.claim, now=now))
        if note is None:
            break
        state, words = _sent(instance, project, note)
        again = None
        if state == "waiting":
            if note.tries > len(TRY_AGAIN_MINUTES):
                state = "failed"
            else:
                again = now + timedelta(minutes=TRY_AGAIN_MINUTES[note.tries - 1])
        if state != "sent":
            log.warning("notice %s about %s is %s: %s", note.notice, note.about, state, words)
        with instance.store.begin() as connection:
            notices.settle(connection, note, state, words, again)
        sent += state == "sent"
        if state == "waiting":  # who does not answer now is not asked fifty times
            break
    return sent


def _sent(instance: Instance, project: Project, note: Note) -> tuple[str, str]:
    """What became of one row: its next state, and the trouble in words."""
    try:
        if note.notice.startswith(HEARTBEAT):
            schedule = project.schedules.get(note.notice.removeprefix(HEARTBEAT))
            if schedule is None or not schedule.heartbeat:
                return "failed", "the schedule has no heartbeat any more"
            _beat(instance, project, schedule, SUFFIXES[note.event])
        else:
            notice = project.notices.get(note.notice)
            if notice is None:
                return "failed", "the notice is not configured any more"
            _post(instance, project, notice, body_of(note))
    except Uncertain as lost:
        return "uncertain", lost.what
    except Trouble as trouble:
        again = trouble.exit_code == FAILED_EXIT_CODE and not isinstance(trouble, Misconfigured)
        return ("waiting" if again else "failed"), trouble.sentence()
    except Exception as error:  # one notice that cannot be told keeps no other from being told
        log.exception("notice %s about %s could not be sent", note.notice, note.about)
        return "failed", f"something unexpected happened ({type(error).__name__})"
    return "sent", ""


def body_of(note: Note) -> dict[str, Any]:
    """What leaves this instance: names, counts, rules, a sentence and the command to look with."""
    told = {name: str(v) if hasattr(v, "isoformat") else v for name, v in note.told.items()}
    return {"event": note.event, "sentence": _sentence(note), **told}


def _sentence(note: Note) -> str:
    told = note.told
    if note.event == "did not run":
        return f"The schedule {told['schedule']} did not run at {told['due']}: `tieout schedule`."
    if note.event == "waits for approval":
        what = f"Batch {told['batch']}" if "batch" in told else f"Configuration {told['proposal']}"
        look = "approvals" if "batch" in told else "config"
        return f"{what} waits for another person since {told['since']}: `tieout {look}`."
    if note.event == "certificate ends":
        when = f"in {counted(told['days'], 'day')}" if told["days"] else "now, or has ended"
        return f"The certificate of {told['secret']} ends {when}: `tieout doctor`."
    rules = ", ".join(f"{count} × {rule}" for rule, count in told["rules"].items())
    why = f" ({rules})" if rules else ""
    if note.event == "drift":
        return f"What {told['flow']} names has drifted{why}: `tieout show {told['run']}`."
    verb = "failed" if note.event == "failed" else "needs attention"
    return f"{told['run']} {verb}{why}: `tieout show {told['run']}`."


def _post(instance: Instance, project: Project, notice: Notice, body: Mapping[str, Any]) -> None:
    """The event as JSON to a webhook, or its sentence to a messenger."""
    door = _door(instance, project, notice.allow_http, notice.ca_file, notice.proxy)
    address = _opened(instance, notice.to)
    if not address.startswith(("https://", "http://")):
        messengers.send(address, f"Tieout: {body['event']}", str(body["sentence"]), door)
        return
    base, path, query = _split(address)
    with closing(door.to(base, "The receiver of notices")) as http:
        answer = http.send("POST", path, query=query, json=dict(body), repeatable=False, once=True)
    messengers.refuse(answer.status)


def _beat(instance: Instance, project: Project, schedule: Schedule, suffix: str) -> None:
    base, path, query = _split(_opened(instance, schedule.heartbeat))
    local = urlsplit(base).hostname in ("127.0.0.1", "localhost", "::1")
    ca_file, proxy = schedule.heartbeat_ca_file, schedule.heartbeat_proxy
    door = _door(instance, project, local, ca_file, proxy)
    with closing(door.to(base, "The receiver of heartbeats")) as http:
        answer = http.send("GET", path.rstrip("/") + suffix, query=query, repeatable=True)
    messengers.refuse(answer.status)


def _door(
    instance: Instance, project: Project, allow_http: bool, ca_file: str, proxy: str
) -> Door:  # fmt: skip
    allowed = Allowed(project.outgoing.allow)
    means = Means(through=Through(proxy, allowed) if proxy else None)
    return Door(allowed, instance.clock, allow_http, ca_file, means)


def _opened(instance: Instance, to: str) -> str:
    """The address, which may be sealed; it stands in no sentence."""
    if not to.startswith(SECRET):
        return to
    return instance.store.safe.opened(secret_name(to)).get(FIELD, "").strip()


def _split(address: str) -> tuple[str, str, str]:
    """Origin, path and query; Misconfigured for what is no address, of which nothing is told."""
    try:
        parts = urlsplit(address)
    except ValueError:
        raise Misconfigured(
            "The address of the notice cannot be read.", untouched="Nothing was sent.",
            do="Seal it again with `tieout notices connect`.",
        ) from None  # fmt: skip
    return f"{parts.scheme}://{parts.netloc}", parts.path or "/", parts.query


def _beating(project: Project, name: str) -> Schedule | None:
    """The schedule of that name, if it has a heartbeat and no notice is called so."""
    schedule = project.schedules.get(name)
    return schedule if schedule and schedule.heartbeat and name not in project.notices else None


def _notice(instance: Instance, name: str) -> Notice:
    found = instance.project().notices
    if name not in found:
        known = ", ".join(found) or "none"
        raise Misconfigured(f"There is no notice {name!r}; there are: {known}.")
    return found[name]


def _as_json(note: Note) -> dict[str, Any]:
    names = [n for n in Note.__slots__ if n != "told"]
    return {name: getattr(note, name) for name in names} | {"told": dict(note.told)}
