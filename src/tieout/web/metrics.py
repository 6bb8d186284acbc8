"""`/metrics` for Prometheus; the only importer of its library."""

from __future__ import annotations

import time
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tieout.verbs.measuring import Figures

KIND = "text/plain; version=0.0.4; charset=utf-8"
BUCKETS_SECONDS = (0.01, 0.025, 0.05, 0.08, 0.15, 0.3, 1.0, 5.0)


class Answers:
    """How many answers there were and how long they took; one for each server."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.answered = Counter(
            "tieout_http_answers", "Answers by the first digit of their status", ["status"],
            registry=self.registry,
        )  # fmt: skip
        self.seconds = Histogram(
            "tieout_http_answer_seconds", "How long answers took to begin",
            buckets=BUCKETS_SECONDS, registry=self.registry,
        )  # fmt: skip

    def text(self, figures: Figures, *, executor: bool) -> bytes:
        """Everything as Prometheus reads it."""
        return generate_latest(self.registry) + _of_instance(figures, executor)


class Counted:
    """Counts every answer of the program it is put around."""

    def __init__(self, app: ASGIApp, answers: Answers) -> None:
        self._app, self._answers = app, answers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        began = time.perf_counter()

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._answers.answered.labels(f"{message['status'] // 100}xx").inc()
                self._answers.seconds.observe(time.perf_counter() - began)
            await send(message)

        await self._app(scope, receive, counted)


class _Instance:
    """The counts of an instance as a collector of the library."""

    def __init__(self, figures: Figures, executor: bool) -> None:
        self._figures, self._executor = figures, executor

    def collect(self) -> Iterator[Metric]:
        """Every gauge."""
        figures = self._figures
        runs = GaugeMetricFamily("tieout_runs", "Runs by outcome", labels=["outcome"])
        for word, number in figures.runs.items():
            runs.add_metric([word], number)
        yield runs
        found = GaugeMetricFamily(
            "tieout_open_rejects",
            "Rejects that nobody has decided over, by cause",
            labels=["rule"],
        )
        for word, number in figures.open_rejects.items():
            found.add_metric([word], number)
        yield found
        yield GaugeMetricFamily(
            "tieout_waiting_batches", "Batches that wait for a decision",
            value=figures.waiting_batches,
        )  # fmt: skip
        yield GaugeMetricFamily(
            "tieout_executor_alive", "Whether this process executes runs", value=self._executor
        )


def _of_instance(figures: Figures, executor: bool) -> bytes:
    registry = CollectorRegistry()
    registry.register(_Instance(figures, executor))
    return generate_latest(registry)
