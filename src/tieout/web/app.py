"""`tieout serve`: executes the runs of one instance and shows how it stands, on loopback only."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from tieout.app import Instance
from tieout.engine.durable import Engine
from tieout.errors import Unavailable
from tieout.verbs import working
from tieout.verbs.working import Note, Watch
from tieout.web.pages import make_pages

HOST = "127.0.0.1"  # there is no sign-in yet, so nobody else may see the page
PORTS_TRIED_MAX = 50
STARTING_SECONDS_MAX = 15.0
CONNECTIONS_MAX = 64
OPEN_REQUEST_SECONDS_MAX = 2


def serve_instance(instance: Instance, port: int, note: Note) -> None:
    """Execute runs and serve the page until SIGTERM or SIGINT; see `working.work_until_stopped`.

    `port` 0 takes any; a taken port is passed over for the next free one, which `note` tells.
    Raises Busy when another process executes this SQLite file, Unavailable without a free port.
    """

    @contextmanager
    def page(engine: Engine) -> Iterator[Watch]:
        with _listening(port) as door, _served(instance, engine, door, note) as watch:
            yield watch

    working.work_until_stopped(instance, note, "tieout serve", page)


def _listening(port: int) -> socket.socket:
    """A listening door on the port, or on the next free one."""
    for number in [port] if port == 0 else range(port, min(port + PORTS_TRIED_MAX, 65_536)):
        door = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            door.bind((HOST, number))
            door.listen()
        except OSError:
            door.close()
        else:
            return door
    raise Unavailable(
        f"No free port from {port} to {port + PORTS_TRIED_MAX - 1}.",
        untouched="Nothing was started.",
        do="Name another one with --port.",
    )


@contextmanager
def _served(instance: Instance, engine: Engine, door: socket.socket, note: Note) -> Iterator[Watch]:
    """The page in a thread of its own, so that uvicorn leaves signals to the main thread."""
    pages = make_pages(instance, engine)
    config = uvicorn.Config(
        pages, log_config=None, access_log=False, lifespan="off", server_header=False,
        date_header=True, limit_concurrency=CONNECTIONS_MAX, ws="none",
        timeout_graceful_shutdown=OPEN_REQUEST_SECONDS_MAX, proxy_headers=False,
    )  # fmt: skip
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [door]}, name="page")

    def watch() -> None:
        if not thread.is_alive():
            raise Unavailable(
                "The page stopped by itself.",
                untouched="Runs under way are carried on by the next `tieout serve`.",
                do="Start it again; the log tells why.",
            )

    thread.start()
    note(
        f"Tieout serves http://{HOST}:{door.getsockname()[1]}/ and executes runs; Ctrl-C stops it."
    )
    try:
        yield watch
    finally:
        server.should_exit = True
        thread.join()
