"""Who may ask, what browsers are told, and what is told about the service."""

from __future__ import annotations

import re

import pytest

from cnnctl.serving.access import is_loopback
from cnnctl.serving.app import PATHS, Access
from cnnctl.serving.models import ServedModel, unique
from tests.serving.conftest import Serve, picture

PNG = {"content-type": "image/png"}
ORIGIN = "https://example.org"


def test_only_names_of_this_machine_are_served(serve: Serve, digits: ServedModel) -> None:
    client = serve(digits)
    for host in ("localhost", "localhost:8000", "127.0.0.1:1", "[::1]:80", "LOCALHOST"):
        assert client.get("/models", headers={"host": host}).status_code == 200
    for host in ("evil.example", "localhost.evil.example", "127.0.0.1.evil.example:80", ""):
        refused = client.get("/models", headers={"host": host})
        assert refused.status_code == 421
        assert "is not served here" in refused.json()["detail"]
    public = serve(digits, access=Access(is_local=False))
    assert public.get("/models", headers={"host": "example.org"}).status_code == 200


def test_a_token_is_needed_for_what_the_models_say(serve: Serve, digits: ServedModel) -> None:
    client = serve(digits, access=Access(token="secret"))
    for path in ("/", "/health", "/docs", "/openapi.json", "/static/docs.css"):
        assert client.get(path).status_code == 200
    for given in ({}, {"authorization": "Bearer Secret"}, {"authorization": "secret"}):
        for path in ("/models", "/metrics", "/static"):
            refused = client.get(path, headers=given)
            assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
        assert client.post("/predict", content=picture(), headers=PNG | given).status_code == 401
    bearing = PNG | {"authorization": "Bearer secret"}
    assert client.post("/predict", content=picture(), headers=bearing).status_code == 200


def test_other_origins_read_answers_only_if_they_are_named(
    serve: Serve, digits: ServedModel
) -> None:
    allowed = "access-control-allow-origin"
    asked = {"origin": ORIGIN}
    assert allowed not in serve(digits).get("/models", headers=asked).headers
    client = serve(digits, access=Access(token="secret", origins=[ORIGIN]))
    assert client.get("/health", headers=asked).headers[allowed] == ORIGIN
    assert allowed not in client.get("/health", headers={"origin": "https://evil.example"}).headers
    before = {"access-control-request-method": "POST"}
    before |= {"access-control-request-headers": "authorization,content-type"}
    assert client.options("/predict", headers=asked | before).status_code == 200


def test_browsers_load_and_show_nothing_from_elsewhere(serve: Serve, digits: ServedModel) -> None:
    client = serve(digits)
    for path in ("/", "/docs"):
        page = client.get(path)
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert "script-src 'self'" in page.headers["content-security-policy"]
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert page.headers["x-content-type-options"] == "nosniff"
        loaded = re.findall(r'(?:src|href)="([^"]*)"', page.text)
        assert all(each.startswith(("/", "#")) and "//" not in each for each in loaded)
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style| style=| on\w+=", page.text)
        for file in loaded:
            assert client.get(file).status_code == 200
    missing = client.get("/static/../app.py"), client.get("/static/%2e%2e%2fapp.py")
    assert {each.status_code for each in missing} == {404}


def test_the_document_describes_every_path(serve: Serve, digits: ServedModel) -> None:
    client = serve(digits)
    document = client.get("/openapi.json").json()
    assert set(document["paths"]) == PATHS - {"/", "/docs", "/openapi.json"}
    page = client.get("/docs").text
    for path, methods in document["paths"].items():
        [method] = methods
        assert f"{method.upper()} {path}" in page
        other = client.get(path) if method == "post" else client.post(path)
        assert other.status_code == 405
    names = set(re.findall(r"#/components/schemas/(\w+)", str(document)))
    assert names <= set(document["components"]["schemas"])


def test_requests_and_batches_are_counted(serve: Serve, digits: ServedModel) -> None:
    client = serve(digits)
    files = [("f", (str(number), picture(number))) for number in range(3)]
    assert client.post("/predict", files=files).status_code == 200
    assert client.post("/predict", content=b"", headers=PNG).status_code == 422
    assert client.get("/what/ever").status_code == 404
    text = client.get("/metrics").text
    for line in (
        'cnnctl_requests_total{path="/predict",status="200"} 1.0',
        'cnnctl_requests_total{path="/predict",status="422"} 1.0',
        'cnnctl_requests_total{path="other",status="404"} 1.0',
        'cnnctl_request_seconds_count{path="/predict"} 2.0',
        'cnnctl_batch_samples_count{model="digits"} 1.0',
        'cnnctl_batch_samples_sum{model="digits"} 3.0',
        'cnnctl_queue_samples{model="digits"} 0.0',
    ):
        assert line in text


def test_requests_are_printed_only_if_that_is_asked_for(serve: Serve, digits: ServedModel) -> None:
    lines = list[str]()
    client = serve(digits, log=lines.append)
    client.get("/health?a=b")
    [line] = lines
    assert re.fullmatch(r"\S+ 'GET /health' 200 [\d.]+ ms", line)


@pytest.mark.parametrize(
    ("host", "is_own"),
    [
        ("127.0.0.1", True),
        ("127.1.2.3", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.0.1", False),
        ("example.org", False),
    ],
)
def test_which_addresses_are_only_for_this_machine(host: str, is_own: bool) -> None:
    assert is_loopback(host) == is_own


def test_models_have_names_of_their_own() -> None:
    assert unique(["a", "b", "a", "a-2", "a"]) == ["a", "b", "a-3", "a-2", "a-4"]
