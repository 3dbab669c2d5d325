import json
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field
from typer.testing import CliRunner

import cnnctl.cli
from cnnctl.catalogue import describe_kind, describe_option, example, find, type_name
from cnnctl.commands import app
from cnnctl.config.choice import Choice
from cnnctl.config.parsing import parse
from cnnctl.data.dataset import DataSet
from cnnctl.errors import FaultError
from cnnctl.model.layer import Layer
from tests.conftest import invoke

assert cnnctl.cli  # declares the commands

FAMILIES = list(Choice.families)
KINDS = [kind for family in Choice.families.values() for kind in family.kinds.values()]
every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind.family}.{kind.kind}")


def listed(*arguments: str) -> str:
    done = CliRunner().invoke(app, ["list", *arguments], env={"COLUMNS": "300"})
    assert done.exit_code == 0
    return done.stdout


def refused(*arguments: str) -> str:
    done = CliRunner().invoke(app, ["list", *arguments])
    assert (done.exit_code, done.stdout) == (2, "")
    return done.stderr


def test_every_family_of_the_manual_is_there() -> None:
    named = "layers initializers datasets augmentations losses optimizers schedulers"
    assert set(FAMILIES) >= set(named.split())


@pytest.mark.parametrize("family", FAMILIES)
def test_a_list_shows_every_kind(family: str) -> None:
    rows = [line.split("  ") for line in listed(family).splitlines()[1:]]
    assert [row[0].strip() for row in rows] == list(Choice.families[family].kinds)
    found = json.loads(listed(family, "--json"))
    assert [facts["kind"] for facts in found] == list(Choice.families[family].kinds)
    assert all(facts["about"] and facts["example"] for facts in found)


@pytest.mark.parametrize("arguments", [["layers"], ["zoo"], ["datasets", "digits"]], ids=str)
def test_a_pipe_gets_lines_as_long_as_what_is_in_them(arguments: list[str]) -> None:
    lines = invoke("list", *arguments).stdout.splitlines()
    assert max(map(len, lines)) < 300
    assert all(line.strip() for line in lines)


@every_kind
def test_a_kind_shows_every_option_with_its_default(kind: type[Choice]) -> None:
    facts = json.loads(listed(kind.family, kind.kind, "--json"))
    options = {option["name"]: option for option in facts["options"]}
    assert set(options) == set(kind.fields())
    for name, info in kind.fields().items():
        assert ("default" not in options[name]) is info.is_required()
        assert options[name]["about"]
        assert options[name]["type"]
    lines = listed(kind.family, kind.kind).splitlines()
    for name, option in options.items():
        [row] = [line for line in lines if line.split(" ")[0] == name]
        assert shown(option) in row
        assert option["type"] in row


def shown(option: dict[str, Any]) -> str:
    words = {"True": "true", "False": "false", "None": "null"}
    default = str(option.get("default", "required"))
    return words.get(default, default)


@every_kind
def test_a_default_is_the_value_of_an_omitted_option(kind: type[Choice]) -> None:
    if not kind.stands_alone():
        return
    options = {option["name"]: option["default"] for option in describe_kind(kind)["options"]}
    assert kind.model_validate(options) == kind.model_validate({})


@every_kind
def test_an_example_can_be_written_as_it_stands(kind: type[Choice]) -> None:
    written = example(kind)
    found = parse(written, origin="example").plain()
    found = found[0] if kind.item else found
    if kind.stands_alone():
        assert Choice.families[kind.family].read(found).kind == kind.kind
    elif kind.item:
        assert list(found) == [kind.kind]
    else:
        assert found["name"] == kind.kind


@pytest.mark.parametrize(
    ("arguments", "fault", "hint"),
    [
        (["layer"], "no family or section is named layer", "did you mean layers?"),
        (["optimisers"], "no family or section is named optimisers", "did you mean optimizers?"),
        (
            ["residual"],
            "no family or section is named residual",
            "write cnnctl list layers residual",
        ),
        (["x"], "no family or section is named x", "known: "),
        (["layers", "cnov"], "no layer is named cnov", "did you mean conv?"),
        (["losses", "crossentropy"], "no loss is named crossentropy", "did you mean cross_entropy"),
        (["optimizers", "xyz"], "no optimizer is named xyz", "known: adadelta, adagrad, adam"),
    ],
)
def test_an_unknown_name_gets_the_nearest(arguments: list[str], fault: str, hint: str) -> None:
    first, second = refused(*arguments).splitlines()
    assert (first, second[:4]) == (fault, "    ")
    assert hint in second


def test_a_name_is_found_by_its_family() -> None:
    assert find("layers") is Layer
    assert find("layers", "conv") is Layer.kinds["conv"]
    with pytest.raises(FaultError):
        find("losses", "conv")


def test_a_kind_tells_its_own_options_first() -> None:
    names = [option["name"] for option in describe_kind(Layer.kinds["conv"])["options"]]
    assert (names[0], names[-1]) == ("out_channels", "bias_init")


def test_conv_is_documented_as_pytorch_documents_it() -> None:
    """https://docs.pytorch.org/docs/stable/generated/torch.nn.Conv2d.html"""
    facts = describe_kind(Layer.kinds["conv"])
    assert (facts["short"], facts["example"]) == ("out_channels", "- conv: OUT_CHANNELS")
    defaults = {option["name"]: option.get("default") for option in facts["options"]}
    published = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1, "bias": True}
    assert {name: defaults[name] for name in published} == published
    assert defaults["padding_mode"] == "zeros"


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (int, "integer"),
        (float | None, "number | null"),
        (Literal["a", "b"] | bool, "a | b | true | false"),
        (list[float], "list of number"),
        (tuple[int, int], "[integer, integer]"),
        (tuple[int, ...], "[integer, …]"),
        (Annotated[tuple[int, ...], Field(min_length=2, max_length=2)], "[integer, integer]"),
        (Annotated[int, Field(gt=0)] | Annotated[int, Field(ge=0)], "integer"),
        (list[Layer], "list of layer"),
    ],
)
def test_a_type_is_reported_in_words_of_a_file(annotation: Any, words: str) -> None:
    assert type_name(annotation) == words


def test_an_option_that_must_be_given_has_no_default() -> None:
    facts = describe_option("out_features", Layer.kinds["linear"].fields()["out_features"])
    assert facts == {
        "name": "out_features",
        "type": "integer | classes",
        "about": "Number of output features.",
    }


def test_a_kind_is_reported_with_the_whole_of_its_docstring() -> None:
    assert "`digit` and `parity`" in describe_kind(DataSet.kinds["digits"])["details"]
    assert describe_kind(Layer.kinds["relu"])["details"] == ""
    assert "Targets for heads: `digit` and `parity`, which is even" in listed("datasets", "digits")
