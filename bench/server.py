"""Both practice sides on one port, from memory, in a process of their own.

Started by the benchmark with the number of lines and the seed; prints its address when every byte
is ready, then obeys one JSON command per line of its standard input.
"""

from __future__ import annotations

import argparse
import gc
import json
import resource
import socket
import sys
import threading
import time
from typing import Any

import orjson
from isal import isal_zlib

from bench import books
from bench.answers import Ais, Body, NotPreparedError
from bench.planning import GZIP_WINDOW_BITS, Planning

HEAD_BYTES_MAX = 64 * 2**10
SEND_BUFFER_BYTES = 4 * 2**20
GZIP_LEVEL = 1


class Server:
    """Answers over plain HTTP/1.1 with a thread per connection; sending leaves the lock free."""

    def __init__(self, rows: int, seed: int) -> None:
        ledger = books.make(rows, seed)
        self.ais, self.planning = Ais(ledger), Planning(ledger)
        self.rows = sum(lines.count for lines in ledger.lines.values())
        self.requests, self.troubles = 0, list[str]()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._converse, args=(connection,), daemon=True).start()

    def _converse(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb", buffering=HEAD_BYTES_MAX) as incoming:
            while line := incoming.readline():
                method, target, _ = line.decode("latin-1").split(" ", 2)
                length = 0
                while (header := incoming.readline()) not in (b"\r\n", b""):
                    name, _, value = header.partition(b":")
                    if name.lower() == b"content-length":
                        length = int(value)
                body = incoming.read(length) if length else b""
                status, pieces = self._answered(method, target, body)
                size = sum(map(len, pieces))
                head = f"HTTP/1.1 {status} -\r\nContent-Type: application/json\r\n"
                connection.sendall(f"{head}Content-Length: {size}\r\n\r\n".encode())
                for piece in pieces:
                    connection.sendall(piece)

    def _answered(self, method: str, target: str, body: bytes) -> tuple[int, tuple[bytes, ...]]:
        self.requests += 1
        path, _, query = target.partition("?")
        try:
            if path.startswith("/jderest"):
                found: Body = self.ais.answer(path, query, body)
                return 200, found.pieces
            status, text = self.planning.answer(method, path, body)
        except (NotPreparedError, KeyError, ValueError, StopIteration) as error:
            self.troubles.append(f"{method} {path}: {error!r}")
            status, text = 400, b'{"message":"not prepared"}'
        return status, (text,)

    # ------------------------------------------------------------------ commands

    def obey(self, command: str) -> dict[str, Any]:
        """`begin`: forget the last round; `usage`: CPU so far; `limit`; `check`: the upload."""
        if command == "begin":
            self.planning.start_anew()
            self.requests = 0
        if command == "limit":
            return self._limit()
        if command == "check":
            wrong = self.planning.wrong_cells()
            return {"wrong_cells": wrong, "chunks": len(self.planning.chunks),
                    "requests": self.requests, "troubles": self.troubles}  # fmt: skip
        used = resource.getrusage(resource.RUSAGE_SELF)
        return {"cpu_seconds": used.ru_utime + used.ru_stime}

    def _limit(self) -> dict[str, Any]:
        """Seconds of bare `orjson.loads` of every page and of isal level 1 over the uploaded CSV.

        One thread; putting the bytes of a page together is not counted.
        """
        decode, sizes, cpu = 0.0, 0, 0.0
        for body in self.ais.bodies():
            began, used = time.perf_counter(), time.thread_time()
            orjson.loads(body)
            decode += time.perf_counter() - began
            cpu += time.thread_time() - used
            sizes += len(body)
        file = self.planning.file()
        began, used = time.perf_counter(), time.thread_time()
        isal_zlib.compress(file, GZIP_LEVEL, GZIP_WINDOW_BITS)
        gzip = time.perf_counter() - began
        cpu += time.thread_time() - used
        return {
            "limit_seconds": decode + gzip, "limit_cpu_seconds": cpu, "page_bytes": sizes,
            "file_bytes": len(file),
        }  # fmt: skip


def main() -> None:
    """Prepare, say where, obey until the input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    given = parser.parse_args()
    server = Server(given.rows, given.seed)
    gc.collect()
    gc.freeze()
    print(json.dumps({"url": f"http://127.0.0.1:{server.port}", "rows": server.rows}), flush=True)
    for line in sys.stdin:
        print(json.dumps(server.obey(line.strip())), flush=True)


if __name__ == "__main__":
    main()
