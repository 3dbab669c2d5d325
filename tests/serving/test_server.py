"""`cnnctl serve` as a process: its first line, its signals, and what it refuses to start with."""

from __future__ import annotations

import signal
import socket
import threading
from pathlib import Path

import pytest

from tests.conftest import invoke
from tests.serving.conftest import picture
from tests.serving.process import json_of, post, read_all, run_of, serving, status_of


@pytest.mark.long
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_it_once_requests_are_answered(
    tmp_path: Path, as_before: None, number: signal.Signals, code: int
) -> None:
    with serving(run_of(tmp_path), folder=tmp_path) as server:
        request = post(picture())
        with server.connect() as begun, server.connect() as idle:
            begun.sendall(request[:-20])
            assert status_of(server.ask(request)) == 200
            server.process.send_signal(number)
            while idle.recv(1):
                pass  # it is closed by the service
            begun.sendall(request[-20:])
            answer = read_all(begun)
        assert status_of(answer) == 200
        assert json_of(answer)["answers"][0]["input"] == "body"
        assert server.process.wait() == code
        with pytest.raises(ConnectionRefusedError):
            server.connect()


@pytest.mark.long
def test_a_second_signal_ends_it_at_once(tmp_path: Path, as_before: None) -> None:
    with (
        serving(run_of(tmp_path), folder=tmp_path) as server,
        server.connect() as begun,
        server.connect() as idle,
    ):
        begun.sendall(post(picture())[:-20])
        assert status_of(server.ask(post(picture()))) == 200
        server.process.send_signal(signal.SIGTERM)
        while idle.recv(1):
            pass
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait() == 143


@pytest.mark.long
def test_clients_at_the_same_time_get_their_own_answers(tmp_path: Path, as_before: None) -> None:
    with serving(run_of(tmp_path), folder=tmp_path) as server:
        pictures = [picture(number, side=8 + number % 5) for number in range(20)]
        alone = [json_of(server.ask(post(content))) for content in pictures]
        wrong = list[int]()

        def ask(first: int) -> None:
            for step in range(len(pictures)):
                number = (first + step) % len(pictures)
                if json_of(server.ask(post(pictures[number]))) != alone[number]:
                    wrong.append(number)

        clients = [threading.Thread(target=ask, args=(number,)) for number in range(16)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        assert not wrong
        assert len({str(each) for each in alone}) == len(pictures)


def test_a_port_in_use_is_a_fault_before_models_are_loaded() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = invoke("serve", "no-such-run", "--port", str(port))
    assert done.exit_code == 2
    assert f"cannot listen on 127.0.0.1, port {port}: Address already in use" in done.stderr
    assert "use another --port" in done.stderr


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["no-such-run", "--port", "0"], 4, "no-such-run"),
        (["configs/lenet.yaml", "--port", "0"], 4, "is a configuration without weights"),
        (["x", "--host", "no such host", "--port", "0"], 2, "no such host is no address"),
    ],
)
def test_what_it_cannot_serve_is_said(words: list[str], code: int, said: str) -> None:
    done = invoke("serve", *words)
    assert (done.exit_code, said in done.stderr) == (code, True), done.stderr
