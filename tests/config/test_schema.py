"""The schema in an editor accepts what cnnctl accepts, and refuses typical mistakes."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from cnnctl.config.choice import Choice
from cnnctl.config.parsing import parse
from cnnctl.config.schema import json_schema
from cnnctl.config.source import read_file
from cnnctl.config.validation import validate
from cnnctl.errors import FaultError
from cnnctl.experiment import Experiment
from cnnctl.model.expansion import expand

CONFIGS = Path(__file__).parents[2] / "configs"
SHIPPED = sorted(CONFIGS.glob("*.yaml"))
KEPT = CONFIGS / "cnnctl.schema.json"

KINDS = [
    kind
    for family in Choice.families.values()
    for kind in family.kinds.values()
    if family.family != "zoo"  # whose options stand beside the name, in `model`
]
every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind.family}.{kind.kind}")
SECTIONS = {
    "datasets": "data",
    "losses": "loss",
    "optimizers": "optimizer",
    "schedulers": "scheduler",
}
PlainOf = Callable[[type[Any]], SearchStrategy[Any]]


@pytest.fixture(scope="session")
def schema() -> dict[str, Any]:
    return json_schema(Experiment, title="A cnnctl experiment")


@pytest.fixture(scope="session")
def editor(schema: dict[str, Any]) -> Draft202012Validator:
    return Draft202012Validator(schema)


def holding(kind: type[Choice], written: Any) -> dict[str, Any]:
    """An experiment with this member at a place for its family."""
    linear: dict[str, Any] = {"out_features": "classes"}
    plain: dict[str, Any] = {"model": {"layers": ["flatten", {"linear": linear}]}}
    if kind.family == "layers":
        plain["model"]["layers"].insert(0, written)
    elif kind.family == "initializers":
        plain["model"]["init"] = linear["init"] = linear["bias_init"] = written
    elif kind.family == "augmentations":
        plain["data"] = {"name": "digits", "augment": [written]}
    elif kind.family == "column_kinds":
        table = {"name": "table", "path": "measured.csv", "target": "y"}
        plain["data"] = {**table, "columns": {"x": written}}
    elif kind.family == "target_kinds":
        table = {"name": "table", "path": "measured.csv"}
        plain["data"] = {**table, "targets": {"y": written}}
    elif kind.family == "teachers":
        plain["distill"] = {"teacher": [written]}
    elif kind.family == "transfers":
        plain["distill"] = {"teacher": "runs/a", "layers": [written]}
    else:
        plain[SECTIONS[kind.family]] = written
    return plain


def forms(kind: type[Choice], options: dict[str, Any]) -> Iterator[Any]:
    """All the ways in which a member may be written."""
    yield {kind.kind: options} if kind.item else {"name": kind.kind, **options}
    if not options:
        yield kind.kind
        yield {kind.kind: None} if kind.item else {"name": kind.kind}
    if set(options) == {kind.short} and not isinstance(options[kind.short], dict | None):
        yield {kind.kind: options[kind.short]}


@pytest.mark.long
def test_it_is_a_schema_of_2020_12(schema: dict[str, Any]) -> None:
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_every_reference_leads_somewhere(schema: dict[str, Any]) -> None:
    def references(part: Any) -> Iterator[str]:
        if isinstance(part, dict):
            yield from [part["$ref"]] if "$ref" in part else []
            part = list(part.values())
        for inner in part if isinstance(part, list) else []:
            yield from references(inner)

    found = set(references(schema))
    assert found == {f"#/$defs/{name}" for name in schema["$defs"]}


@every_kind
def test_every_kind_and_option_is_in_it(kind: type[Choice], schema: dict[str, Any]) -> None:
    described = schema["$defs"][f"{kind.family}.{kind.kind}"]
    if kind.item:
        described = described["properties"][kind.kind]["then"]
    for name, info in kind.fields().items():
        assert described["properties"][name]["description"] == info.description
        assert info.is_required() or "default" in described["properties"][name]


def assert_accepted_by_both(kind: type[Choice], options: Any, editor: Draft202012Validator) -> None:
    for written in forms(kind, options):
        plain = holding(kind, written)
        Experiment.model_validate(plain)
        editor.validate(plain)


DRAWN = settings(
    deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)


@every_kind
@settings(DRAWN, max_examples=2)
@given(data=st.data())
def test_what_cnnctl_accepts_an_editor_accepts(
    kind: type[Choice], data: st.DataObject, plain_of: PlainOf, editor: Draft202012Validator
) -> None:
    assert_accepted_by_both(kind, data.draw(plain_of(kind)), editor)


@pytest.mark.long
@every_kind
@settings(DRAWN, max_examples=8)
@given(data=st.data())
def test_whatever_cnnctl_accepts_an_editor_accepts(
    kind: type[Choice], data: st.DataObject, plain_of: PlainOf, editor: Draft202012Validator
) -> None:
    assert_accepted_by_both(kind, data.draw(plain_of(kind)), editor)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_configs_are_accepted_by_both(path: Path, editor: Draft202012Validator) -> None:
    root = read_file(path)
    editor.validate(root.plain())
    if root.child("base") is None:
        validate(Experiment, expand(root))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_configs_tell_editors_of_the_schema(path: Path) -> None:
    line = "# yaml-language-server: $schema=cnnctl.schema.json"
    assert line in path.read_text(encoding="utf-8").splitlines()


M = "model: {layers: [flatten, linear: classes]}"
BOTH_REFUSE = [
    "{}",
    "data: digits",
    "- a",
    "model: {}",
    "model: {layers: []}",
    "model: {layers: relu}",
    "model: {layers: [cnov]}",
    "model: {blocks: {}}",
    "model: {zoo: resnet1888}",
    "model: {zoo: resnet18, nosuch: 3}",
    "model: {zoo: resnet18, layers: [relu]}",
    "model: {zoo: lenet5, width: 64}",
    "model: {zooo: resnet18}",
    "model: {torchvision: resnet1888}",
    "model: {torchvision: resnet18, widht: 3}",
    "model: {layers: [torchvision: resnet1888]}",
    "model: {blocks: {mine: {layers: [relu], parametres: {a}}}, layers: [mine]}",
    "{name: .hidden, model: {layers: [flatten, linear: classes]}}",
    "model: {blocks: {mine: 3}, layers: [mine]}",
    "model: {blocks: {mine: {parameters: {a}}}, layers: [mine]}",
    "model: {blocks: {mine: {layers: [relu]}}, layers: [{mine: 3, relu: null}]}",
    "model: {layers: [conv]}",
    "model: {layers: [conv: {}]}",
    "model: {layers: [upsample]}",
    "model: {layers: [relu: 3]}",
    "model: {layers: [linear: few]}",
    "model: {layers: [linear: 0]}",
    "model: {layers: [linear: 1.5]}",
    "model: {layers: [{linear: 3, relu: null}]}",
    "model: {layers: [linear: {out_features: 3, bais: false}]}",
    "model: {layers: [conv: {out_channels: 3, kernel_size: [3]}]}",
    "model: {layers: [conv: {out_channels: 3, padding: sam}]}",
    f"epochs: 3\n{M}",
    f"seed: -1\n{M}",
    f"name: a/b\n{M}",
    f"plugins: x.py\n{M}",
    f"loss: {{label_smoothing: 0.1}}\n{M}",
    f"loss: mes\n{M}",
    f"optimizer: {{name: sgd, momentun: 0.9}}\n{M}",
    f"optimizer: {{name: sgd, momentum: 1}}\n{M}",
    f"optimizer: {{name: adam, betas: [0.9]}}\n{M}",
    f"scheduler: step\n{M}",
    f"scheduler: {{name: cosine, warmup: 0}}\n{M}",
    f"train: {{epochs: '3'}}\n{M}",
    f"train: {{device: gpu}}\n{M}",
    f"train: {{precision: fp23}}\n{M}",
    f"data: {{name: digits, augment: crop}}\n{M}",
    f"data: {{name: digits, augment: [corp]}}\n{M}",
    f"regularization: {{early_stopping: yes}}\n{M}",
]


@pytest.mark.parametrize("text", BOTH_REFUSE)
def test_typical_mistakes_are_refused_by_both(text: str, editor: Draft202012Validator) -> None:
    root = parse(text, origin="x.yaml")
    assert not editor.is_valid(root.plain())
    with pytest.raises(FaultError):
        validate(Experiment, expand(root))


@pytest.mark.parametrize(
    ("text", "where", "slip"),
    [
        (f"trian: {{epochs: 3}}\n{M}", [], "trian"),
        (f"train: {{epochz: 3}}\n{M}", ["train"], "epochz"),
        (f"train: {{epochs: many}}\n{M}", ["train", "epochs"], "many"),
        (f"optimizer: {{name: sgd, momentun: 0.9}}\n{M}", ["optimizer"], "momentun"),
        (f"optimizer: {{name: sdg}}\n{M}", ["optimizer", "name"], "sdg"),
        (f"loss: mes\n{M}", ["loss"], "mes"),
        ("model: {zoo: resnet1888}", ["model", "zoo"], "resnet1888"),
        ("model: {zoo: resnet18, nosuch: 3}", ["model"], "nosuch"),
        ("model: {torchvision: resnet1888}", ["model", "torchvision"], "resnet1888"),
        ("model: {layers: [cnov: 3]}", ["model", "layers", 0], "cnov"),
        (
            "model: {layers: [conv: {out_channels: 3, strid: 2}]}",
            ["model", "layers", 0, "conv"],
            "strid",
        ),
        ("{base: x.yaml, trian: {epochs: 3}}", [], "trian"),
    ],
)
def test_an_editor_points_at_the_slip(
    text: str, where: list[str | int], slip: str, editor: Draft202012Validator
) -> None:
    error = best_match(editor.iter_errors(parse(text, origin="x.yaml").plain()))
    assert error is not None
    assert list(error.absolute_path) == where
    assert slip in error.message


@pytest.mark.parametrize(
    ("text", "is_valid"),
    [
        ("base: lenet.yaml", True),
        ("{base: lenet.yaml, optimizer: {lr: 0.1}, train: {epochs: 3}}", True),
        ("{base: lenet.yaml, epochs: 3}", False),
        ("base: [lenet.yaml]", False),
    ],
)
def test_a_file_over_a_base_may_leave_anything_out(
    text: str, is_valid: bool, editor: Draft202012Validator
) -> None:
    assert editor.is_valid(parse(text, origin="x.yaml").plain()) is is_valid


def outline(schema: dict[str, Any]) -> dict[str, Any]:
    """What we say in a schema; how pydantic says the rest may change with its version."""
    ours = ("description", "default", "enum", "const", "required")
    return {
        **{key: schema[key] for key in ours if key in schema},
        "properties": {name: outline(part) for name, part in schema.get("properties", {}).items()},
        "forms": [outline(form) for key in ("anyOf", "allOf") for form in schema.get(key, [])],
        "cases": {key: outline(schema[key]) for key in ("if", "then", "else") if schema.get(key)},
    }


def test_the_schema_that_is_shipped_is_current(schema: dict[str, Any]) -> None:
    shipped = json.loads(KEPT.read_text(encoding="utf-8"))
    kept, current = (
        {name: outline(part) for name, part in each["$defs"].items()} for each in (shipped, schema)
    )
    assert kept == current, "remake it: cnnctl schema > configs/cnnctl.schema.json"
    assert outline(shipped) == outline(schema)
