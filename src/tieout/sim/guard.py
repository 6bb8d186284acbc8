"""TLS of the practice systems, and the certificates that they give to who connects to them."""

from __future__ import annotations

import json
import ssl
from pathlib import Path

from tieout.sim.anaplan import certificates
from tieout.sim.anaplan.demo_model import EMAIL
from tieout.sim.anaplan.system import AnaplanSystem
from tieout.sim.authority import Signed, make_authority, server_context, write_private
from tieout.sim.clock import PracticeClock

KEPT = "tls.json"  # what the practice systems themselves keep of it
CLIENT = "tieout"  # whom the certificate for practice JD Edwards names
Guard = dict[str, ssl.SSLContext]


def guarded(
    folder: Path, anaplan: AnaplanSystem, clock: PracticeClock, *, tls: bool,
    client_certificate: bool,
) -> Guard:  # fmt: skip
    """Port → how it speaks TLS; nothing where it was never asked for in this folder."""
    file = folder / KEPT
    if not (tls or client_certificate or file.exists()):
        return {}
    if not file.exists():
        _make(folder, anaplan, clock)
    kept = json.loads(file.read_text())
    kept["callers"] = kept["callers"] or client_certificate
    write_private(file, json.dumps(kept))
    server = Signed(**kept["server"])
    callers = kept["authority"] if kept["callers"] else ""
    return {
        "jde": server_context(server, folder, callers),
        "anaplan": server_context(server, folder),
    }


def _make(folder: Path, anaplan: AnaplanSystem, clock: PracticeClock) -> None:
    """An authority, and what it signs: the servers, a user of Anaplan, a caller of JD Edwards.

    Its own key is thrown away, so that nobody signs anything with it later.
    """
    authority = make_authority()
    server, loader = authority.server(), authority.person(EMAIL, now=clock.today())
    caller = authority.client(CLIENT)
    with anaplan.state.change():
        anaplan.state.keep_meta("tls", True)
        certificates.trust(anaplan.state, authority.pem)
        certificates.register(anaplan.state, EMAIL, loader.certificate, clock.now())
    (folder / "ca.pem").write_text(authority.pem)
    for name, signed in (("anaplan", loader), ("jde", caller)):
        (folder / f"{name}.pem").write_text(signed.certificate)
        write_private(folder / f"{name}.key", signed.private_key)
    told = {"certificate": server.certificate, "private_key": server.private_key}
    kept = {"authority": authority.pem, "server": told, "callers": False}
    write_private(folder / KEPT, json.dumps(kept))
