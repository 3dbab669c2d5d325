"""The endpoints: from a request to an answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Query, Request, Response
from starlette.exceptions import HTTPException
from torch import Tensor

from cnnctl.data.inputs import Input
from cnnctl.errors import FaultError
from cnnctl.prediction.answers import Answered
from cnnctl.serving.batching import FullError, Ticket
from cnnctl.serving.bodies import inputs_in
from cnnctl.serving.explaining import HeatMapOf
from cnnctl.serving.replies import as_json
from cnnctl.serving.service import Queued, Service

Model = Annotated[str | None, Query(description="Name of the model (default: the first).")]
TopK = Annotated[
    int | None, Query(ge=1, description="Number of classes in the answer (default: all).")
]
Target = Annotated[
    str | None, Query(description="Class or label to explain (default: the predicted one).")
]
Head = Annotated[str | None, Query(description="Head to explain (default: the first).")]


def router_of(service: Service) -> APIRouter:
    """The endpoints of a service."""
    router = APIRouter()

    @router.post("/predict")
    async def predict(request: Request, model: Model = None, top_k: TopK = None) -> Response:
        """Answer for pictures, rows of a table or arrays of numbers: one or many."""
        queued = _named(service, model)
        with queued.answers.ticket() as ticket:
            inputs, is_many = await inputs_in(request, queued.model.data, service.limits)
            read = await _read(service, ticket, inputs, is_many=is_many)
            answers = iter(await ticket.results([s for s in read if isinstance(s, Tensor)]))
        answered = [
            Answered(given.name, fault=each)
            if isinstance(each, FaultError)
            else Answered(given.name, next(answers))
            for given, each in zip(inputs, read, strict=True)
        ]
        plain = [each.to_json(top=top_k) for each in answered]
        return as_json({"model": queued.model.name, "answers": plain})

    @router.post("/explain")
    async def explain(
        request: Request, model: Model = None, target: Target = None, head: Head = None
    ) -> Response:
        """Draw what a network looked at in a picture: a heat map over it, as a PNG."""
        queued = _named(service, model)
        if queued.model.heat_map is None:
            raise HTTPException(422, f"{queued.model.name} has no heat maps: see GET /models")
        with queued.heat_maps.ticket() as ticket:
            inputs, is_many = await inputs_in(request, queued.model.data, service.limits)
            if is_many:
                raise HTTPException(422, "a heat map is of one picture: send one")
            [sample] = await _read(service, ticket, inputs, is_many=False)
            assert isinstance(sample, Tensor)  # else it was refused
            try:
                [drawn] = await ticket.results([HeatMapOf(sample, target, head)])
            except FaultError as error:
                raise HTTPException(422, text_of(error)) from None
        explained = {"cnnctl-explained": quote(drawn.explained)}
        return Response(drawn.png, headers=explained, media_type="image/png")

    @router.get("/models")
    async def models() -> Response:
        """The models, what they take and what they answer."""
        return as_json({"models": [each.facts for each in service.models]})

    @router.get("/health")
    async def health() -> Response:
        """Whether the service answers."""
        return as_json({"status": "ok"})

    @router.get("/metrics")
    async def metrics() -> Response:
        """Counts and durations in the text format of Prometheus."""
        return Response(service.metrics.text(), media_type=service.metrics.content_type)

    return router


def _named(service: Service, name: str | None) -> Queued:
    """The model of this name, by default the first."""
    if name is None:
        return next(iter(service.queues.values()))
    if name not in service.queues:
        raise HTTPException(404, f"no model is named {name[:100]!r}: see GET /models")
    return service.queues[name]


async def _read(
    service: Service, ticket: Ticket[Any, Any], inputs: Sequence[Input], *, is_many: bool
) -> list[Tensor | FaultError]:
    """The samples, or why they cannot be read; a single one that cannot be read is refused."""
    try:
        ticket.reserve(len(inputs))
    except FullError:
        detail = "too many samples are waiting; try again"
        raise HTTPException(503, detail, headers={"retry-after": "1"}) from None
    read = await service.read(inputs)
    if not is_many and isinstance(read[0], FaultError):
        raise HTTPException(422, f"{inputs[0].name}: {text_of(read[0])}")
    return read


def text_of(error: FaultError) -> str:
    """The first fault in a line, with what can be done about it."""
    fault = error.faults[0]
    return f"{fault.message}; {fault.hint}" if fault.hint else fault.message
