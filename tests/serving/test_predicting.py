"""`POST /predict`: the answers of `cnnctl predict`, for one input or many."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnnctl.data.inputs import find_inputs
from cnnctl.prediction.answers import Answered, answer_all
from cnnctl.prediction.writing import as_json_lines
from cnnctl.serving.limits import Limits
from cnnctl.serving.models import ServedModel, open_models
from tests.conftest import invoke
from tests.serving.conftest import CONVOLUTION, Serve, TestClient, model_of, picture

PNG = {"content-type": "image/png"}


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    """Some of other sizes than the network takes, and one that is none."""
    paths = [tmp_path / f"{number}.png" for number in range(5)]
    for number, path in enumerate(paths):
        path.write_bytes(picture(number, side=8 + number))
    paths[3].write_bytes(b"no picture")
    return paths


def test_answers_are_those_of_predict_to_the_bit(
    serve: Serve, digits: ServedModel, pictures: list[Path]
) -> None:
    found = find_inputs([*map(str, pictures)], digits.data, stdin=io.BytesIO())
    lines = as_json_lines(answer_all(digits.trained, found), top=None)
    check_answers(serve(digits), pictures, lines)


@pytest.mark.long
def test_answers_of_a_run_are_those_of_the_command(
    serve: Serve, pictures: list[Path], tmp_path: Path, as_before: None
) -> None:
    config, runs = tmp_path / "few.yaml", tmp_path / "runs"
    config.write_text(CONVOLUTION, encoding="utf-8")
    done = invoke("train", config, "train.epochs=1", "--runs", runs)
    assert done.exit_code == 0, done.output
    done = invoke("predict", runs / "few", *pictures, "--jsonl")
    check_answers(serve(*open_models([runs / "few"])), pictures, done.stdout.splitlines())


def check_answers(client: TestClient, pictures: list[Path], lines: Iterable[str]) -> None:
    """Ask for all pictures together and for one alone, and compare with lines of `predict`."""
    expected = [
        {**json.loads(line), "input": path.name} for line, path in zip(lines, pictures, strict=True)
    ]
    files = [("files", (path.name, path.read_bytes())) for path in pictures]
    together = client.post("/predict", files=files)
    assert together.status_code == 200
    assert together.json()["answers"] == expected
    content = pictures[4].read_bytes()
    [alone] = client.post("/predict?top_k=1", content=content, headers=PNG).json()["answers"]
    likeliest = {expected[4]["class"]: expected[4]["probability"]}
    assert alone == {**expected[4], "input": "body", "probabilities": likeliest}


def test_a_picture_that_cannot_be_read_is_refused_and_says_why(
    serve: Serve, digits: ServedModel
) -> None:
    client = serve(digits)
    cut = picture()[:60]
    for request in ({"content": cut, "headers": PNG}, {"files": {"f": ("cut.png", cut)}}):
        answer = client.post("/predict", **request)
        assert answer.status_code == 422
        assert "cannot be decoded" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("request_of", "status", "said"),
    [
        ({"content": b"x"}, 415, "the content type '' is not known: send multipart/form-data"),
        ({"content": b"", "headers": PNG}, 422, "is empty"),
        ({"content": b"{", "headers": {"content-type": "application/json"}}, 422, "no JSON"),
        ({"json": [1, 2]}, 422, "an array of the shape (2,)"),
        ({"json": "/etc/passwd"}, 422, "expected a row"),
        ({"json": []}, 422, "expected a row"),
        ({"json": [[1, 2], [3]]}, 422, "or an array of numbers"),
        ({"json": [{"x": 1}] * 9}, 413, "more inputs than the limit of 8"),
        ({"data": {"a": "b"}, "files": {"c": ("d", b"")}}, 422, "the part 'a' is no file"),
        ({"json": {"x": 1}}, 422, "the network takes pictures, not rows"),
        ({"params": {"model": "no"}, "content": b""}, 404, "no model is named 'no'"),
        ({"params": {"top_k": "x"}, "content": b""}, 422, "top_k: "),
        ({"content": picture(side=40), "headers": PNG}, 422, "40x40 pixels, more than 1,000"),
    ],
)
def test_what_is_wrong_with_a_request_is_said(
    serve: Serve, digits: ServedModel, request_of: dict[str, object], status: int, said: str
) -> None:
    client = serve(digits, limits=Limits(pixels=1000, samples=8))
    answer = client.post("/predict", **request_of)
    assert answer.status_code == status
    assert said in answer.json()["detail"]


def test_arrays_in_json_are_read_as_those_of_files(serve: Serve, digits: ServedModel) -> None:
    client = serve(digits)
    pixels = np.random.default_rng(1).integers(0, 256, (2, 8, 8), np.uint8)
    together = client.post("/predict", json=pixels.tolist()).json()["answers"]
    assert [each["input"] for each in together] == ["[0]", "[1]"]
    [alone] = client.post("/predict", json=pixels[1].tolist()).json()["answers"]
    assert {**alone, "input": "[1]"} == together[1]
    scaled = client.post("/predict", json=(pixels[1] / 255).tolist()).json()["answers"]
    assert scaled[0]["probability"] == pytest.approx(alone["probability"], rel=1e-5)


def test_rows_of_a_table_are_answered_each_with_its_own_fault(serve: Serve, tmp_path: Path) -> None:
    rows = [f"{number % 13}.5,{number % 7},{'ab'[number % 2]}" for number in range(60)]
    (tmp_path / "t.csv").write_text("\n".join(["size,kind,species", *rows]))
    text = f"""\
data: {{name: table, path: {tmp_path / "t.csv"}, target: species, batch_size: 8}}
model: {{layers: [{{linear: 4}}, relu, {{linear: classes}}]}}
optimizer: sgd
"""
    model = model_of(text, tmp_path, "flowers")
    client = serve(model)
    [facts] = client.get("/models").json()["models"]
    assert facts["input"]["kind"] == "table"
    assert [column["name"] for column in facts["input"]["columns"]] == ["size", "kind"]
    sent = [{"size": 3, "kind": "4"}, {"size": "x", "kind": 4}, {"kind": 4, "size": None}]
    answers = client.post("/predict", json=sent).json()["answers"]
    assert "x is not a number" in answers[1]["error"]
    table = "size,kind\n3,4\n,4\n"
    (tmp_path / "new.csv").write_text(table)
    found = find_inputs([str(tmp_path / "new.csv")], model.data, stdin=io.BytesIO())
    expected = model.answers([each.read() for each in found])
    for at, own in zip((0, 2), expected, strict=True):
        assert answers[at] == Answered(f"[{at}]", own).to_json()
    alone = client.post("/predict", json=sent[1])
    assert (alone.status_code, "x is not a number" in alone.json()["detail"]) == (422, True)
    lacking = client.post("/predict", json={"size": 3})
    assert "has no column kind" in lacking.json()["detail"]


def test_models_are_chosen_by_name(serve: Serve, digits: ServedModel, tmp_path: Path) -> None:
    other = model_of(CONVOLUTION.replace("data:", "seed: 3\ndata:"), tmp_path, "other")
    client = serve(digits, other)
    known = [each["name"] for each in client.get("/models").json()["models"]]
    assert known == ["digits", "other"]
    answers = [
        client.post("/predict", params=chosen, content=picture(), headers=PNG).json()
        for chosen in ({}, {"model": "digits"}, {"model": "other"})
    ]
    assert [each["model"] for each in answers] == ["digits", "digits", "other"]
    assert answers[0] == answers[1]
    assert answers[1]["answers"] != answers[2]["answers"]


def test_a_heat_map_is_a_picture(serve: Serve, digits: ServedModel) -> None:
    client = serve(digits)
    answer = client.post("/explain?target=7", content=picture(), headers=PNG)
    assert answer.headers["cnnctl-explained"] == "7"
    with Image.open(io.BytesIO(answer.content)) as drawn:
        assert (drawn.format, drawn.size) == ("PNG", (224, 224))
    wrong = client.post("/explain?target=x", content=picture(), headers=PNG)
    assert (wrong.status_code, "no class is named 'x'" in wrong.json()["detail"]) == (422, True)


def test_numbers_that_json_lacks_are_an_error_of_the_network(serve: Serve, tmp_path: Path) -> None:
    broken = model_of(CONVOLUTION, tmp_path)
    for weight in broken.trained.network.parameters():
        weight.data.fill_(float("nan"))
    answer = serve(broken).post("/predict", content=picture(), headers=PNG)
    assert (answer.status_code, "not finite" in answer.json()["detail"]) == (500, True)
