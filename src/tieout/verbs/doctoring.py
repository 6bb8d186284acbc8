"""`tieout doctor`: looks at machine and instance, and says in words what is wrong and who can act.

It looks as far as it gets: where the database does not answer, the rest is told all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from tieout.app import Instance
from tieout.errors import Misconfigured, Trouble
from tieout.store import anchors
from tieout.store.files import place_for
from tieout.store.store import DATABASE_FILE
from tieout.verbs import (
    acting,
    bundling,
    checking_instance,
    checking_ledger,
    checking_machine,
    checking_shared,
)
from tieout.verbs.checking import Check, Looking, notice, trouble

# In the order in which they are told.
OF_THE_MACHINE: dict[str, Callable[[Looking], Iterator[Check]]] = {
    "versions": checking_machine.versions,
    "home": checking_machine.home,
    "disk": checking_machine.disk,
    "time-zones": checking_machine.time_zones,
    "port": checking_machine.port,
    "proxies": checking_machine.proxies,
}
OF_THE_INSTANCE: dict[str, Callable[[Looking, Instance], Iterator[Check]]] = {
    "database": checking_instance.database,
    "schema": checking_instance.schema,
    "configuration": checking_instance.configuration,
    "vault-key": checking_instance.vault_key,
    "trail-key": checking_instance.trail_key,
    "anchor": checking_instance.anchor,
    "executors": checking_instance.runs,
    "schedules": checking_instance.schedules,
    "models": checking_shared.models,
    "sessions": checking_shared.sessions,
    "desk": checking_shared.desk,
    "records": checking_instance.records,
    "ca-files": checking_instance.certificates,
    "sign-in-ends": checking_instance.sign_ins,
}
OF_PEERS = {"peer-clock": checking_instance.peer_clocks}
OF_LEDGERS = {"ledger": checking_ledger.ledgers}
LAST_WITHOUT_A_DATABASE = ("database", "schema")  # when one fails, the others cannot be asked


def examine(looking: Looking, bundle: Path | None = None) -> dict[str, Any]:
    """Every check, and the exit code of the first trouble; `bundle` also writes a support file.

    NotAllowed for who may not look at this instance.
    """
    checks, instance = list(_of_machine(looking)), None
    try:
        instance = _opened(looking, checks)
        if instance is not None:
            checks += _of_instance(looking, instance)
        found = _as_json(checks)
        if bundle is not None:
            found["bundle"] = bundling.write(bundle, found, looking.environment, instance)
        return found
    finally:
        if instance is not None:
            instance.close()


def _of_machine(looking: Looking) -> Iterator[Check]:
    for code, look in OF_THE_MACHINE.items():
        yield from _guarded(code, partial(look, looking))


def _opened(looking: Looking, checks: list[Check]) -> Instance | None:
    """The instance, if there is one to be looked at; else a check says why not."""
    if any(check.code == "home" and check.state == "trouble" for check in checks):
        return None
    environment = looking.environment
    file = environment.home / DATABASE_FILE
    code = "records"
    try:
        place_for(environment.records, environment.home, environment.standard)
        code = "anchor"
        anchors.named(environment.anchor, environment.standard)
        code = "database"
        if environment.database.startswith("sqlite") and not file.exists():
            raise Misconfigured(f"There is no database in {environment.home}.", do="`tieout init`.")
        return Instance(environment)
    except Trouble as told:
        checks.append(trouble(code, told))
        return None


def _of_instance(looking: Looking, instance: Instance) -> Iterator[Check]:
    looks = OF_THE_INSTANCE | (OF_PEERS if looking.peers else {})
    looks |= OF_LEDGERS if looking.ledger else {}
    for code, look in looks.items():
        found = list(_guarded(code, partial(look, looking, instance)))
        yield from found
        if code in LAST_WITHOUT_A_DATABASE and _failed(found):
            yield notice("rest", "The rest could not be looked at before that is well.")
            return
        if code == "schema":
            acting.require(instance, "view")


def _guarded(code: str, look: Callable[[], Iterator[Check]]) -> Iterator[Check]:
    try:
        yield from look()
    except Trouble as told:
        yield trouble(code, told)


def _failed(checks: Sequence[Check]) -> bool:
    return any(check.state == "trouble" and check.exit_code for check in checks)


def _as_json(checks: Sequence[Check]) -> dict[str, Any]:
    wrong = [check for check in checks if check.state == "trouble"]
    return {
        "ok": not wrong, "exit_code": wrong[0].exit_code if wrong else 0,
        "troubles": len(wrong), "notices": len([c for c in checks if c.state == "notice"]),
        "checks": [asdict(check) for check in checks],
    }  # fmt: skip
