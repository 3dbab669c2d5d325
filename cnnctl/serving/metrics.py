"""What the service counts, in the text format of Prometheus."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, lru_cache
from time import perf_counter
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cnnctl.serving.batching import Lane

OTHER = "other"
"""Stands for all paths that are no endpoints: anybody may invent as many as they like."""
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
SAMPLES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Metrics:
    """Requests, batches and queues, in a registry of their own."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "cnnctl_requests", "Answered requests.", ["path", "status"], registry=self.registry
        )
        self._seconds = Histogram(
            "cnnctl_request_seconds",
            "From the headers of a request to the end of its answer.",
            ["path"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self._batches = Histogram(
            "cnnctl_batch_samples",
            "Samples computed together.",
            ["model"],
            buckets=SAMPLES,
            registry=self.registry,
        )
        self._computing = Histogram(
            "cnnctl_batch_seconds",
            "Time to compute a batch.",
            ["model"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self._under_way = Gauge(
            "cnnctl_queue_samples",
            "Samples from decoding to answer.",
            ["model"],
            registry=self.registry,
        )

    def note_batches(self, model: str) -> Callable[[int, float], object]:
        """What counts the batches of a model."""
        samples, computing = self._batches.labels(model), self._computing.labels(model)

        def note(count: int, seconds: float) -> None:
            samples.observe(count)
            computing.observe(seconds)

        return note

    def watch(self, model: str, lane: Lane[Any, Any]) -> None:
        """Show how many samples are under way."""
        self._under_way.labels(model).set_function(lambda: lane.under_way)

    def note_request(self, path: str, status: int, seconds: float) -> None:
        """Count an answered request."""
        count, timed = self._of(path, status)
        count.inc()
        timed.observe(seconds)

    @cached_property
    def _of(self) -> Callable[[str, int], tuple[Counter, Histogram]]:
        @lru_cache(1000)
        def of(path: str, status: int) -> tuple[Counter, Histogram]:
            return self._requests.labels(path, str(status)), self._seconds.labels(path)

        return of

    def text(self) -> bytes:
        """All of it."""
        return generate_latest(self.registry)


class Measured:
    """Middleware: counts requests, and logs them where that is asked for."""

    def __init__(
        self,
        app: ASGIApp,
        metrics: Metrics,
        paths: frozenset[str],
        log: Callable[[str], object] | None,
    ) -> None:
        self._app, self._metrics, self._paths, self._log = app, metrics, paths, log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun, status = perf_counter(), 500

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            seconds, path = perf_counter() - begun, scope["path"]
            known = path if path in self._paths else OTHER
            self._metrics.note_request(known, status, seconds)
            if self._log is not None:
                client = scope["client"][0] if scope.get("client") else "-"
                asked = f"{scope['method']} {path}"
                self._log(f"{client} {asked!r} {status} {seconds * 1000:.1f} ms")
