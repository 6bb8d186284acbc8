"""The keys that seal the credentials of an instance: which there are, and changing them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Final

from tieout.app import Instance
from tieout.store.rotation import Rotation
from tieout.verbs import acting

RIGHT: Final = "set credentials"
STEP = "keys rotate"  # of TIEOUT_KILL_AT


def known(instance: Instance) -> dict[str, Any]:
    """The keys by their names, where they are kept, and how many credentials each opens.

    KeyTrouble when the one that seals is not in its place.
    """
    acting.require(instance, RIGHT)
    safe = instance.store.safe
    safe.check()
    sealed = [note.key_fingerprint for note in safe.listed()]
    here = {key.fingerprint for key in safe.keys.held()}
    told = [
        asdict(key) | {
            "here": key.fingerprint in here, "credentials": sealed.count(key.fingerprint),
        }
        for key in safe.known()
    ]  # fmt: skip
    return {"ok": True, "place": safe.keys.name, "keys": told}


def rotate(instance: Instance, *, prepare_only: bool = False) -> dict[str, Any]:
    """Change the key that seals, or go on with a change that was interrupted.

    `prepare_only`: the new key lies beside the old one and nothing is sealed with it yet, so that
    it can be brought to every machine first. KeyTrouble when there is no new key to be had.
    """
    by, store = acting.require(instance, RIGHT), instance.store
    moment = instance.failpoint()

    def at(point: str) -> None:
        moment(STEP, point)

    change = Rotation(store.safe, store.database, instance.clock, by.name, at)
    fingerprint = change.prepare()
    result: dict[str, Any] = {
        "ok": True, "place": store.safe.keys.name, "new": fingerprint, "rotated": False,
        "retired": [],
    }  # fmt: skip
    at("prepared")
    if prepare_only and fingerprint:
        return result
    if fingerprint:
        done = change.rewrap(fingerprint)
        result |= asdict(done) | {"rotated": True}
        at("rewrapped")
    result["retired"] = [str(path) for path in change.retire()]
    at("retired")
    return result
