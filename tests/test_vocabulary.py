"""The names that are read from the source are those that the classes have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import get_origin

from cnnctl.catalogue import about
from cnnctl.catalogue.sections import specs_in
from cnnctl.config.choice import Choice, Spec
from cnnctl.experiment import Experiment
from cnnctl.vocabulary import families, options, paths_of


def test_families_and_kinds_are_those_that_are_declared() -> None:
    declared = {
        name: {kind: about(member) for kind, member in family.kinds.items()}
        for name, family in Choice.families.items()
    }
    ours = {
        name: {kind: text for kind, text in kinds.items() if kind in families()[name]}
        for name, kinds in declared.items()
    }
    assert families() == ours
    plugins = {
        member.__module__
        for name, family in Choice.families.items()
        for kind, member in family.kinds.items()
        if kind not in families()[name]
    }
    assert not any(module.startswith("cnnctl.") for module in plugins)


def test_paths_are_those_of_an_experiment() -> None:
    declared = dict(walked(Experiment, ""))
    assert set(options()) == set(declared)
    assert {path: set(kinds) for path, kinds in options().items()} == declared


def walked(spec: type[Spec], prefix: str) -> Iterator[tuple[str, set[str]]]:
    for name, info in spec.model_fields.items():
        path, annotation = f"{prefix}{name}", info.annotation
        is_list = get_origin(annotation) in (list, Mapping)
        below = [] if is_list else [*specs_in(annotation)]
        chosen = [part for part in below if issubclass(part, Choice) and part.family]
        kinds = {kind for part in chosen for kind in families()[part.family]}
        yield path, kinds
        if kinds:
            yield f"{path}.name", kinds
        for part in below:
            members = [part]
            if part in chosen:
                members = [part.kinds[kind] for kind in families()[part.family]]
            for member in members:
                yield from walked(member, f"{path}.")


def test_an_option_is_found_wherever_it_is() -> None:
    assert paths_of("lr") == ["optimizer.lr"]
    assert paths_of("batch-size") == ["data.batch_size"]
    assert paths_of("weight-decay") == ["optimizer.weight_decay", "regularization.weight_decay"]
    assert paths_of("nosuch") == []
