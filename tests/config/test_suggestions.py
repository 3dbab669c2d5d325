"""A misspelt word leads to the word that was meant: kinds, options, values, names and sections."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any, Literal, get_args, get_origin

import pytest

from cnnctl.config.choice import Choice
from cnnctl.config.nodes import Place
from cnnctl.config.source import from_plain
from cnnctl.errors import FaultError, closest, edit_distance
from cnnctl.experiment import Experiment
from cnnctl.experiment.loading import complete
from cnnctl.experiment.spec import Train
from cnnctl.model.layer import Layer
from cnnctl.model.layers.torchvision_models import model_names
from cnnctl.model.network import Model
from cnnctl.model.zoo import Network
from tests.slips import mistyped

GOAL = 0.95
LAYERS = ["flatten", {"linear": "classes"}]
SECTIONS = {
    "datasets": "data",
    "losses": "loss",
    "optimizers": "optimizer",
    "schedulers": "scheduler",
}


@dataclass(frozen=True)
class Word:
    """A word of the language, what else could stand there, and a file in which it is misspelt."""

    right: str
    valid: frozenset[str]
    file_with: Callable[[str], Any]


def words() -> Iterator[Word]:
    yield from of_families()
    yield from of_sections()
    yield from of_models()
    yield from of_values()


def model_with(*layers: Any, **options: Any) -> dict[str, Any]:
    return {"model": {"layers": [*layers, *LAYERS], **options}}


def placed(family: type[Choice], written: Any) -> Any:
    """A file with this member of a family in its place."""
    if family.family == "layers":
        return model_with(written)
    if family.family == "initializers":
        return model_with(init=written)
    if family.family == "augmentations":
        return {**model_with(), "data": {"name": "digits", "augment": [written]}}
    if family.family == "column_kinds":
        table = {"name": "table", "path": "x.csv", "target": "y", "columns": {"x": written}}
        return {**model_with(), "data": table}
    if family.family == "target_kinds":
        table = {"name": "table", "path": "x.csv", "targets": {"y": written}}
        return {**model_with(), "data": table}
    if family.family == "teachers":
        teacher = {written: "resnet18"} if isinstance(written, str) else written  # a text is a path
        return {**model_with(), "distill": {"teacher": [teacher]}}
    if family.family == "transfers":
        return {**model_with(), "distill": {"teacher": "runs/a", "layers": [written]}}
    return {**model_with(), SECTIONS[family.family]: written}


def with_option(family: type[Choice], kind: str, slip: str) -> Any:
    return placed(family, {kind: {slip: 1}} if family.item else {"name": kind, slip: 1})


def chosen_by(family: type[Choice], kind: str, slip: str) -> Any:
    return placed(family, {slip: kind})


def in_section(section: str, slip: str) -> Any:
    return {**model_with(), section: {**model_with().get(section, {}), slip: 1}}


def in_network(name: str, slip: str) -> Any:
    return {"model": {"zoo": name, slip: 1}}


def in_training(option: str, slip: str) -> Any:
    return {**model_with(), "train": {option: slip}}


def of_families() -> Iterator[Word]:
    """Kinds, `name`, and options."""
    for family in Choice.families.values():
        if family.family == "zoo":
            continue
        for name, kind in family.kinds.items():
            yield Word(name, frozenset(family.kinds), partial(placed, family))
            options = frozenset({"name", *kind.model_fields})
            for option in kind.model_fields:
                yield Word(option, options, partial(with_option, family, name))
            if not family.item:
                every = {o for other in family.kinds.values() for o in other.model_fields}
                yield Word(
                    "name",
                    frozenset({"name", *every}),
                    partial(chosen_by, family, name),
                )


def of_sections() -> Iterator[Word]:
    sections = frozenset({*Experiment.model_fields, "base"})
    for section in sorted(sections):
        yield Word(section, sections, lambda slip: {**model_with(), slip: "digits"})
    for spec, section in ((Train, "train"), (Model, "model")):
        names = frozenset({*spec.model_fields, *spec.written_out})
        for option in sorted(names):
            yield Word(
                option,
                names,
                partial(in_section, section),
            )


def of_models() -> Iterator[Word]:
    """Names and options of published networks, templates, layers and files of weights."""
    ways = frozenset({*Model.model_fields, *Model.written_out})
    yield Word("zoo", ways, lambda slip: {"model": {slip: "resnet18"}})
    yield Word("torchvision", ways, lambda slip: {"model": {slip: "resnet18"}})
    for name, network in Network.kinds.items():
        yield Word(name, frozenset(Network.kinds), lambda slip: {"model": {"zoo": slip}})
        options = frozenset({"zoo", *network.model_fields, *ways})
        for option in network.model_fields:
            yield Word(option, options, partial(in_network, name))
    for name in model_names():
        yield Word(name, frozenset(model_names()), lambda slip: {"model": {"torchvision": slip}})
    blocks = {name: {"layers": ["relu"]} for name in ("basic", "bottleneck", "inception")}
    kinds = frozenset({*blocks, *Layer.kinds})
    for name in blocks:
        yield Word(name, kinds, lambda slip: model_with(slip, blocks=blocks))
    named = {"linear": {"out_features": 9, "name": "stem"}}
    for name in ("linear1", "stem"):
        yield Word(
            name,
            frozenset({"stem", "linear1"}),
            lambda slip: {"model": {"layers": ["flatten", named, *LAYERS], "freeze": [slip]}},
        )


def of_values() -> Iterator[Word]:
    for option, info in Train.model_fields.items():
        for value in literals(info.annotation):
            others = frozenset(literals(info.annotation))
            yield Word(value, others, partial(in_training, option))
    for word in ("true", "false"):
        both = frozenset({"true", "false"})
        yield Word(word, both, lambda slip: {**model_with(), "train": {"deterministic": slip}})


def literals(annotation: Any) -> list[str]:
    """The words that an option may be."""
    if get_origin(annotation) is Literal:
        return [str(value) for value in get_args(annotation)]
    return [word for part in get_args(annotation) for word in literals(part)]


def cures_of(plain: Any) -> str:
    with pytest.raises(FaultError) as raised:
        complete(from_plain(plain, Place("x.yaml", 1, 1)), "x")
    return "\n".join(fault.hint for fault in raised.value.faults)


def missed(every: int, *, slips: int) -> tuple[int, list[str]]:
    """How many words were mistyped, and those whose hint does not name the right one."""
    random = Random(slips)
    tried = list(words())[random.randrange(every) :: every]
    failed = []
    for word in tried:
        slip = mistyped(word.right, random, slips=slips, valid=word.valid)
        cures = cures_of(word.file_with(slip))
        if word.right not in re.findall(r"[\w./-]+", cures):
            failed.append(f"{word.right} as {slip}: {cures}")
    return len(tried), failed


@pytest.mark.parametrize("slips", [1, 2])
def test_a_slip_leads_to_the_word_that_was_meant(slips: int) -> None:
    tried, failed = missed(12, slips=slips)
    assert tried > 50
    assert len(failed) <= (1 - GOAL) * tried, "\n".join(failed)


@pytest.mark.long
@pytest.mark.parametrize("slips", [1, 2])
def test_every_word_of_the_language_is_found_by_its_slips(slips: int) -> None:
    tried, failed = missed(1, slips=slips)
    assert len(failed) <= (1 - GOAL) * tried, "\n".join(failed)


@pytest.mark.parametrize(
    ("word", "known", "meant"),
    [
        ("ahn", ["tanh", "relu", "mish"], ["tanh"]),
        ("cnov", ["conv", "chunk"], ["conv"]),
        ("vgg1", ["vgg11", "vgg16", "resnet18"], ["vgg11", "vgg16"]),
        ("kernel", ["kernel_size", "out_channels"], ["kernel_size"]),
        ("goldfish", ["cat", "snail"], []),
        ("x" * 5000, ["xx"], []),
    ],
)
def test_the_closest_words_are_offered(word: str, known: list[str], meant: list[str]) -> None:
    assert closest(word, known) == meant


@pytest.mark.parametrize(
    ("word", "other", "edits"),
    [
        # the textbook's pairs, and the one in which alignment and full distance differ
        ("kitten", "sitting", 3),
        ("saturday", "sunday", 3),
        ("ca", "abc", 3),
        ("teh", "the", 1),
        ("", "abc", 3),
        ("same", "same", 0),
    ],
)
def test_the_distance_is_that_of_optimal_string_alignment(
    word: str, other: str, edits: int
) -> None:
    assert edit_distance(word, other, at_most=5) == edits
    assert edit_distance(other, word, at_most=5) == edits
    assert edit_distance(word, other, at_most=2) == min(edits, 3)
