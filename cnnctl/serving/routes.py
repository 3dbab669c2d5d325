"""The endpoints: from a request to an answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from torch import Tensor

from cnnctl.errors import FaultError
from cnnctl.prediction.answers import Answered
from cnnctl.serving.batching import FullError, Ticket
from cnnctl.serving.bodies import Given, inputs_in
from cnnctl.serving.describing import document
from cnnctl.serving.explaining import HeatMapOf
from cnnctl.serving.replies import as_json
from cnnctl.serving.service import Queued, Service


class Endpoints:
    """What each path of a service does."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def routes(self) -> list[Route]:
        """The paths, the most frequent first."""
        return [
            Route("/predict", self.predict, methods=["POST"]),
            Route("/health", self.health),
            Route("/metrics", self.metrics),
            Route("/explain", self.explain, methods=["POST"]),
            Route("/models", self.models),
            Route("/openapi.json", self.openapi),
        ]

    async def predict(self, request: Request) -> Response:
        """Answer for pictures, rows of a table or arrays of numbers: one or many."""
        queued, top = self._chosen(request), _top(request)
        with queued.answers.ticket() as ticket:
            inputs, is_many = await self._inputs(request, queued)
            read = await self._read(ticket, inputs, is_many=is_many)
            answers = iter(await ticket.results([s for s in read if isinstance(s, Tensor)]))
        answered = [
            Answered(given.name, fault=each)
            if isinstance(each, FaultError)
            else Answered(given.name, next(answers))
            for given, each in zip(inputs, read, strict=True)
        ]
        plain = [each.to_json(top=top) for each in answered]
        return as_json({"model": queued.model.name, "answers": plain})

    async def explain(self, request: Request) -> Response:
        """Draw what a network looked at in a picture: a heat map over it, as a PNG."""
        queued, chosen = self._chosen(request), request.query_params
        if queued.model.heat_map is None:
            raise HTTPException(422, f"{queued.model.name} has no heat maps: see GET /models")
        with queued.heat_maps.ticket() as ticket:
            inputs, is_many = await self._inputs(request, queued)
            if is_many:
                raise HTTPException(422, "a heat map is of one picture: send one")
            [sample] = await self._read(ticket, inputs, is_many=False)
            assert isinstance(sample, Tensor)  # else it was refused
            asked = HeatMapOf(sample, chosen.get("target"), chosen.get("head"))
            try:
                [drawn] = await ticket.results([asked])
            except FaultError as error:
                raise HTTPException(422, _text_of(error)) from None
        explained = {"cnnctl-explained": quote(drawn.explained)}
        return Response(drawn.png, headers=explained, media_type="image/png")

    async def models(self, _request: Request) -> Response:
        """The models, what they take and what they answer."""
        return as_json({"models": [each.facts for each in self._service.models]})

    async def health(self, _request: Request) -> Response:
        """Whether the service answers."""
        return as_json({"status": "ok"})

    async def metrics(self, _request: Request) -> Response:
        """Counts and durations in the text format of Prometheus."""
        metrics = self._service.metrics
        return Response(metrics.text(), headers={"content-type": metrics.content_type})

    async def openapi(self, _request: Request) -> Response:
        """All of this as an OpenAPI document."""
        return as_json(document())

    def _chosen(self, request: Request) -> Queued:
        """The model that is asked for, by default the first."""
        queues = self._service.queues
        name = request.query_params.get("model", self._service.models[0].name)
        if name not in queues:
            raise HTTPException(404, f"no model is named {name[:100]!r}: see GET /models")
        return queues[name]

    async def _inputs(self, request: Request, queued: Queued) -> tuple[list[Given], bool]:
        return await inputs_in(request, queued.model.data, self._service.limits)

    async def _read(
        self, ticket: Ticket[Any, Any], inputs: Sequence[Given], *, is_many: bool
    ) -> list[Tensor | FaultError]:
        """The samples, or why they cannot be read; a single one that cannot be is refused."""
        try:
            ticket.reserve(len(inputs))
        except FullError:
            detail = "too many samples are waiting; try again"
            raise HTTPException(503, detail, headers={"retry-after": "1"}) from None
        read = await self._service.read(inputs)
        if not is_many and isinstance(read[0], FaultError):
            raise HTTPException(422, f"{inputs[0].name}: {_text_of(read[0])}")
        return read


def _top(request: Request) -> int | None:
    """The number of classes to answer; None for all."""
    given = request.query_params.get("top_k")
    if given is None:
        return None
    if not (given.isascii() and given.isdecimal() and len(given) < 10 and int(given)):
        raise HTTPException(422, f"top_k: {given[:100]!r} is no number from 1")
    return int(given)


def _text_of(error: FaultError) -> str:
    """The first fault in a line, with what can be done about it."""
    fault = error.faults[0]
    return f"{fault.message}; {fault.hint}" if fault.hint else fault.message
