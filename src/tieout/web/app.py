"""`tieout serve`: executes the runs of one instance and serves its pages."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from tieout.app import Instance
from tieout.engine.durable import Engine
from tieout.errors import Unavailable
from tieout.verbs import signing_in, working
from tieout.verbs.working import Note, Watch
from tieout.web.door import Door
from tieout.web.site import make_site
from tieout.web.view import Site

PORTS_TRIED_MAX = 50
STARTING_SECONDS_MAX = 15.0
CONNECTIONS_MAX = 64
OPEN_REQUEST_SECONDS_MAX = 2


def serve_instance(instance: Instance, door: Door, note: Note) -> None:
    """Execute runs and serve the page until SIGTERM or SIGINT; see `working.work_until_stopped`.

    Port 0 takes any; a taken port is passed over for the next free one, which `note` tells.
    Raises Misconfigured for a door that is not safe, Busy when another process executes this
    SQLite file, Unavailable without a free port.
    """
    door.check()

    @contextmanager
    def page(engine: Engine) -> Iterator[Watch]:
        with _listening(door) as open_, _served(instance, engine, door, open_, note) as watch:
            yield watch

    working.work_until_stopped(instance, note, "tieout serve", page)


def _listening(door: Door) -> socket.socket:
    """A listening socket on the port, or on the next free one."""
    port, family = door.port, socket.AF_INET6 if ":" in door.address else socket.AF_INET
    for number in [port] if port == 0 else range(port, min(port + PORTS_TRIED_MAX, 65_536)):
        found = socket.socket(family, socket.SOCK_STREAM)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            found.bind((door.address, number))
            found.listen()
        except OSError:
            found.close()
        else:
            return found
    raise Unavailable(
        f"No free port from {port} to {port + PORTS_TRIED_MAX - 1}.",
        untouched="Nothing was started.",
        do="Name another one with --port.",
    )


@contextmanager
def _served(
    instance: Instance, engine: Engine, door: Door, listening: socket.socket, note: Note
) -> Iterator[Watch]:
    """The page in a thread of its own, so that uvicorn leaves signals to the main thread."""
    site = Site(
        instance,
        engine,
        names=door.known_names,
        secure=door.secure,
        proxies=frozenset(door.proxies),
    )
    config = uvicorn.Config(
        make_site(site), log_config=None, access_log=False, lifespan="off", server_header=False,
        date_header=True, limit_concurrency=CONNECTIONS_MAX, ws="none",
        timeout_graceful_shutdown=OPEN_REQUEST_SECONDS_MAX, proxy_headers=False,
        ssl_certfile=door.certificate, ssl_keyfile=door.private_key or door.certificate,
    )  # fmt: skip
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, name="page")

    def watch() -> None:
        if not thread.is_alive():
            raise Unavailable(
                "The page stopped by itself.",
                untouched="Runs under way are carried on by the next `tieout serve`.",
                do="Start it again; the log tells why.",
            )

    thread.start()
    url = _address(door, listening.getsockname()[1])
    note(f"Tieout serves {url} and executes runs; Ctrl-C stops it.")
    if not signing_in.there_are_users(instance):
        note(f"There is no user yet. Open {url}setup with the code {site.first_start.code}.")
    try:
        yield watch
    finally:
        server.should_exit = True
        thread.join()


def _address(door: Door, port: int) -> str:
    """Where a person goes."""
    name = next(iter(door.names), f"[{door.address}]" if ":" in door.address else door.address)
    if door.proxies:
        return f"https://{name}/"
    return f"{'https' if door.certificate else 'http'}://{name}:{port}/"
