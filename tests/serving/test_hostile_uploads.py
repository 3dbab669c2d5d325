"""Whatever is sent to the service is refused within bounds, and does it no harm."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from cnnctl.serving.limits import Limits
from cnnctl.serving.models import ServedModel
from tests.serving.conftest import Serve, picture
from tests.serving.hostile import cases, chunk, png
from tests.serving.process import (
    Server,
    json_of,
    multipart,
    post,
    read_all,
    run_of,
    serving,
    status_of,
)

MOST_MEMORY = 700
"""MiB that the service may take beyond those with which it starts."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A service that all of these are sent to."""
    folder = tmp_path_factory.mktemp("hostile")
    with serving(run_of(folder), "--timeout", "4", folder=folder) as running:
        yield running


def check_health(server: Server) -> None:
    """The service answers, and still rightly."""
    answers = [json_of(server.ask(post(picture(number)))) for number in range(4)]
    together = json_of(server.ask(multipart(*((str(at), picture(at)) for at in range(4)))))
    alone = [{**each["answers"][0], "input": str(at)} for at, each in enumerate(answers)]
    assert together["answers"] == alone


@pytest.mark.long
def test_at_least_two_hundred_are_refused_within_bounds(server: Server) -> None:
    check_health(server)
    before, sent = server.memory(), list(cases())
    assert len(sent) >= 200
    wrong = list[str]()
    for name, request in sent:
        answer = server.ask(request)
        status = status_of(answer)
        if status and not 400 <= status < 500:
            wrong.append(f"{name}: {status} {answer[-200:]!r}")
        elif b"application/json" in answer:
            assert "Traceback" not in json_of(answer)["detail"]
    assert not wrong
    check_health(server)
    assert server.memory("VmHWM") - before < MOST_MEMORY
    assert "Traceback" not in server.log.read_text()


@pytest.mark.long
def test_chunks_without_end_are_cut(server: Server) -> None:
    head = post(b"").replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    with server.connect() as connection:
        connection.sendall(head)
        sent = 0
        try:
            while sent < 2**30:
                connection.sendall(b"100000\r\n" + bytes(2**20) + b"\r\n")
                sent += 2**20
        except ConnectionError:
            pass
    assert 2**25 <= sent < 2**27
    check_health(server)


@pytest.mark.long
def test_slow_senders_are_left_and_hold_nobody_up(server: Server) -> None:
    request = post(picture())
    parts = (b"", b"P", request[:40], request[:-30], request[:-1])
    with ExitStack() as opened:
        slow = [opened.enter_context(server.connect()) for _ in range(100)]
        for number, connection in enumerate(slow):
            connection.sendall(parts[number % len(parts)])
        check_health(server)
        answers = [read_all(connection) for connection in slow]  # until they are closed
    assert {status_of(answer) for answer in answers} == {0, 408}
    assert {status_of(answer) for answer in answers[4::5]} == {408}
    check_health(server)


@pytest.mark.long
def test_too_many_connections_are_refused_and_there_is_room_again(server: Server) -> None:
    with ExitStack() as opened:
        many = [opened.enter_context(server.connect()) for _ in range(400)]
        refused = [read_all(connection) for connection in many[300:]]
    assert {status_of(answer) for answer in refused} == {503}
    while status_of(server.ask(post(picture()))) != 200:
        pass
    check_health(server)


@pytest.mark.long
def test_large_uploads_at_the_same_time_take_bounded_memory(server: Server) -> None:
    before, answers = server.memory(), list[int]()
    request = post(bytes(30 * 2**20))

    def upload() -> None:
        answers.append(status_of(server.ask(request)))

    clients = [threading.Thread(target=upload) for _ in range(40)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    assert set(answers) <= {0, 408, 422, 503}
    assert server.memory("VmHWM") - before < MOST_MEMORY
    check_health(server)


@pytest.mark.long
def test_names_of_files_are_only_repeated(server: Server) -> None:
    names = ["../../etc/passwd", "/etc/passwd", "C:\\x", "a" * 1000, "\u202egnp.exe", "a;b=c"]
    answers = json_of(server.ask(multipart(*((name, picture()) for name in names))))["answers"]
    shares = {str(each["probabilities"]) for each in answers}
    assert len(shares) == 1
    assert [each["input"] for each in answers][:2] == names[:2]
    assert max(len(each["input"]) for each in answers) == 255


FEW = {
    "PNG cut": picture()[:60],
    "JPEG cut": picture(side=64, kind="JPEG")[:300],
    "pickle": b"\x80\x04\x8c\x02os\x8c\x06system\x93.",
    "HTML": b"<html><script>alert(1)</script></html>",
    "bomb": png(60_000, 60_000, chunk(b"IDAT", bytes(100))),
    "no picture of this size": png(2**31 - 1, 2**31 - 1),
}


@pytest.mark.parametrize("name", FEW)
def test_a_few_of_them(serve: Serve, digits: ServedModel, name: str) -> None:
    client = serve(digits)
    refused = client.post("/predict", content=FEW[name], headers={"content-type": "image/png"})
    assert refused.status_code == 422
    files = [("f", (name, FEW[name])), ("f", ("whole.png", picture()))]
    together = client.post("/predict", files=files).json()["answers"]
    assert ["error" in each for each in together] == [True, False]


def test_a_body_is_cut_at_its_limit_whatever_is_announced(
    serve: Serve, digits: ServedModel
) -> None:
    client = serve(digits, limits=Limits(body=10_000))
    headers = {"content-type": "image/png"}
    announced = client.post("/predict", content=bytes(10_001), headers=headers)
    chunked = client.post("/predict", content=(bytes(1000) for _ in range(20)), headers=headers)
    for answer in (announced, chunked):
        assert answer.status_code == 413
        assert answer.json()["detail"] == "the request is larger than the limit of 10,000 bytes"
    assert client.post("/predict", content=picture(), headers=headers).status_code == 200
