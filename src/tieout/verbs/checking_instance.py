"""What `tieout doctor` looks at in an instance: database, keys, executors, records, authorities."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path

from tieout.app import Instance
from tieout.certificates import KEEPER
from tieout.core.findings import counted
from tieout.engine.lock import executor_of
from tieout.errors import KeyTrouble, Misconfigured
from tieout.network import expiries
from tieout.project import AnaplanConnection, JdeConnection, Project
from tieout.store import anchors, audit, examined, executors, seals
from tieout.store.connecting import journal_mode
from tieout.store.schema import SCHEMA_VERSION, UNFINISHED
from tieout.store.server_time import MICROSECONDS, read_server_time
from tieout.verbs import schedule_overview
from tieout.verbs.checking import Check, Looking, good, notice, trouble, wrong

RUNS_SHOWN_MAX = 5
DATABASE = "who runs the database"
KEYS = "who keeps the key of this instance"
FULL = "2"  # PRAGMA synchronous


def database(looking: Looking, instance: Instance) -> Iterator[Check]:
    """It answers, and keeps what it was told; Unavailable when it does not answer."""
    with instance.store.database.read() as connection:
        name = examined.product(connection)
        found = examined.durability(connection)
        offset = looking.clock.now() - datetime.fromtimestamp(
            read_server_time(connection) / MICROSECONDS, UTC
        )
    yield good("database", f"{name} answers.")
    yield judged_durability(name, found)
    yield clock("database-clock", "the database", offset, looking)


def judged_durability(name: str, found: tuple[str, str]) -> Check:
    """Whether a power cut can take away what was committed."""
    if name.startswith("SQLite"):
        version = tuple(int(part) for part in name.split()[1].split("."))
        wanted = (journal_mode(version).lower(), FULL)
    else:
        wanted = ("on", "on")
    told = f"{name} runs with {found[0]} and {found[1]}"
    if found == wanted or (wanted == ("on", "on") and found[1] in ("remote_apply", "remote_write")):
        return good("durability", "What is committed survives a power cut.")
    return wrong(
        "durability",
        f"{told} instead of {wanted[0]} and {wanted[1]}: a power cut could take away what was "
        "committed.",
        "SQLite: end other programs that have the file open. PostgreSQL: set fsync and "
        "synchronous_commit to on.",
        DATABASE,
    )


def clock(code: str, whose: str, offset: timedelta, looking: Looking) -> Check:
    """How far our clock is from another; `offset` is ours less theirs."""
    off = offset.total_seconds()
    told = f"The clock of this machine and that of {whose} are {abs(off):.1f} seconds apart."
    do = "Let a time server set both (NTP)."
    if abs(off) > looking.clock_seconds_max:
        return wrong(code, told, do)
    return notice(code, told, do) if abs(off) > looking.clock_seconds_off else good(code, told)


def schema(looking: Looking, instance: Instance) -> Iterator[Check]:
    """The tables are those of this program; Misconfigured when they are not."""
    instance.store.check()
    yield good("schema", f"The database has schema {SCHEMA_VERSION}, as this program needs.")


def configuration(looking: Looking, instance: Instance) -> Iterator[Check]:
    """Something is applied, and the project file says the same; Misconfigured."""
    if instance.store.config() is None:
        yield notice(
            "configuration", "Nothing is configured yet.", "Complete tieout.toml, then `tieout "
            "config apply --why …`.", "an administrator",
        )  # fmt: skip
        return
    project = instance.project()
    flows = counted(len(project.flows), "flow")
    yield good("configuration", f"tieout.toml is what was applied ({flows}).")


def vault_key(looking: Looking, instance: Instance) -> Iterator[Check]:
    """The key that opens the credentials; KeyTrouble when it is not there, or may be read."""
    keys = instance.store.safe.keys
    here = {key.fingerprint for key in keys.held()}
    others = [n for n in instance.store.safe.listed() if n.key_fingerprint not in here]
    for note in others:
        yield trouble(
            "vault-key",
            KeyTrouble(
                f"The credential {note.name} is sealed with the key {note.key_fingerprint}; the "
                f"key here is {keys.fingerprints()}.",
                do=f"Put that key back, or enter it anew: `tieout connect {note.name}`.", who=KEYS,
            ),
        )  # fmt: skip
    if not others:
        yield good(
            "vault-key", f"The key {keys.fingerprints()} in {keys.name} opens every credential."
        )


def trail_key(looking: Looking, instance: Instance) -> Iterator[Check]:
    """The key that seals the trail; KeyTrouble when it is missing or another one."""
    path = instance.home / seals.TRAIL_KEY_FILE
    key = seals.read(path)
    with instance.store.database.read() as connection:
        last = audit.last(connection)
    if last is not None and last.sealed_by != key.fingerprint:
        raise seals.another(path, last.sealed_by, key.fingerprint)
    yield good("trail-key", f"The key {key.fingerprint} seals the trail.")


def anchor(looking: Looking, instance: Instance) -> Iterator[Check]:
    """Where the checkpoints of the trail go; Misconfigured when a bucket does not answer."""
    place = instance.store.anchor
    where = anchors.name_of(place)
    if not looking.environment.anchor:
        yield notice(
            "anchor", f"The checkpoints of the trail go to {where}, beside what they are to prove.",
            "Let TIEOUT_ANCHOR name a file on another machine.",
        )  # fmt: skip
    elif isinstance(place, Path) and not place.parent.is_dir():
        yield wrong(
            "anchor", f"{place.parent} is not there.", "Mount it, or correct TIEOUT_ANCHOR."
        )
    else:
        anchors.exists(place)
        yield good("anchor", f"The checkpoints of the trail go to {where}.")


def runs(looking: Looking, instance: Instance) -> Iterator[Check]:
    """Who executes runs, and which wait for somebody who does."""
    serving = executor_of(instance.home)
    with instance.store.database.read() as connection:
        known = executors.listed(connection)
        rows = examined.engine_rows(connection)
    silent = [e for e in known if e.silent_seconds > looking.silent_seconds_max]
    for executor in silent:
        yield notice(
            "executors",
            f"Nothing was heard of process {executor.pid} on {executor.host} for "
            f"{executor.silent_seconds:,.0f} seconds.",
            "If it died, another one takes its runs over; if it lives, look at its network.",
        )
    embedded = instance.store.database.is_sqlite
    living = int(serving is not None) if embedded else len(known) - len(silent)
    yield good("executors", f"{counted(living, 'process', 'processes')} can execute runs now.")
    unfinished = instance.store.runs(outcomes=UNFINISHED)
    if unfinished and not living:
        names = ", ".join(run.id for run in unfinished[:RUNS_SHOWN_MAX])
        yield notice(
            "unfinished-runs",
            f"Nobody executes what is unfinished ({counted(len(unfinished), 'run')}): {names}.",
            "Start `tieout serve`, or carry one on with `tieout run FLOW`.",
        )
    else:
        yield good("unfinished-runs", f"{counted(len(unfinished), 'run')} under way.")
    told = f"The durable engine remembers {counted(rows, 'run')}."
    many = rows > looking.engine_rows_many
    yield (
        notice("engine-rows", told, "Old ones only take room.")
        if many
        else good("engine-rows", told)
    )


def schedules(looking: Looking, instance: Instance) -> Iterator[Check]:
    """What should have run by itself has run, and what is due next is known."""
    if instance.store.config() is None:
        yield good("schedules", "Nothing runs by itself yet.")
        return
    found = schedule_overview.standing(instance)
    for one in found["schedules"]:
        told = [*one["amiss"], *(["A missed time waits for an answer."] if one["asks"] else [])]
        for sentence in told:
            yield notice(
                "schedules", f"{one['schedule']}: {sentence}",
                "`tieout schedule` shows it whole.", "an operator",
            )  # fmt: skip
    if found["ok"]:
        number = counted(len(found["schedules"]), "schedule")
        yield good("schedules", f"Nothing that should have run was missed ({number}).")


def records(looking: Looking, instance: Instance) -> Iterator[Check]:
    """A file is written, read and removed where the records lie; Refused, Unavailable."""
    instance.store.records.probe()
    where = looking.environment.records or str(instance.store.records.root)
    yield good("records", f"A file was written to {where}, read and removed.")


def certificates(looking: Looking, instance: Instance) -> Iterator[Check]:
    """The files of authorities that connections and the object storage trust; Misconfigured."""
    config = instance.store.config()
    project = instance.applied() if config else Project()
    files = {c.ca_file: f"connections.{n}.ca_file" for n, c in project.connections.items()}
    files |= {one.ca_file: f"notices.{n}.ca_file" for n, one in project.notices.items()}
    files |= {project.sign_in.ca_file: "sign_in.ca_file"}
    beats = project.schedules.items()
    files |= {s.heartbeat_ca_file: f"schedules.{n}.heartbeat_ca_file" for n, s in beats}
    if "://" in looking.environment.records:
        files[looking.environment.standard.get("AWS_CA_BUNDLE", "")] = "AWS_CA_BUNDLE"
    files.pop("", None)
    for file, where in files.items():
        yield _certificates(looking, file, where)
    if not files:
        yield good("ca-files", "No certificates of your own are named.")


def sign_ins(looking: Looking, instance: Instance) -> Iterator[Check]:
    """The certificates that sign us in elsewhere, by when they end; the sealed ones stay sealed."""
    now = looking.clock.now()
    sealed = [note for note in instance.store.safe.listed() if note.ends_at is not None]
    for note in sealed:
        assert note.ends_at is not None
        do, who = f"`tieout connect {note.name}` with the next one.", KEEPER
        if note.ends_at < now:
            told = f"The certificate of {note.name} ended {note.ends_at:%Y-%m-%d}."
            yield wrong("sign-in-ends", told, do, who)
            continue
        told = f"The certificate of {note.name} holds until {note.ends_at:%Y-%m-%d}."
        soon = note.ends_at < now + timedelta(days=looking.expires_days)
        yield notice("sign-in-ends", told, do, who) if soon else good("sign-in-ends", told)
    if not sealed:
        yield good("sign-in-ends", "No connection signs in with a certificate.")


def _certificates(looking: Looking, file: str, where: str) -> Check:
    now = looking.clock.now()
    found = expiries(file)
    if not found:
        raise Misconfigured(f"{file} ({where}) holds no certificate of an authority.")
    ends = max(found)  # a bundle may hold old ones beside the one that matters
    told = f"{Path(file).name} ({where}) holds until {ends:%Y-%m-%d}."
    do, who = "Get the next one from who signs the certificates.", "who runs the certificates"
    if ends < now:
        return wrong("ca-files", f"{Path(file).name} ({where}) ended {ends:%Y-%m-%d}.", do, who)
    soon = ends < now + timedelta(days=looking.expires_days)
    return notice("ca-files", told, do, who) if soon else good("ca-files", told)


def peer_clocks(looking: Looking, instance: Instance) -> Iterator[Check]:
    """The clocks of JD Edwards and Anaplan, by one request without credentials each."""
    for name, connection in instance.project().connections.items():
        yield _peer_clock(looking, instance, name, connection)


def _peer_clock(
    looking: Looking, instance: Instance, name: str, connection: JdeConnection | AnaplanConnection
) -> Check:
    url = connection.url if isinstance(connection, JdeConnection) else connection.api_url
    http = instance.doors.http(instance.project(), url, connection, None, name, tries=1)
    try:
        told = http.send("GET", "", repeatable=True).headers.get("date", "")
    finally:
        http.close()
    try:
        theirs = parsedate_to_datetime(told)
    except ValueError:
        return notice("peer-clock", f"{name} does not say what time it is.")
    return clock("peer-clock", name, looking.clock.now() - theirs, looking)
