"""The names that are read from the source are those that the classes have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from cnnctl.catalogue import about
from cnnctl.catalogue.sections import sections as catalogue_sections
from cnnctl.catalogue.sections import specs_in
from cnnctl.config.choice import Choice, Spec
from cnnctl.experiment import Experiment
from cnnctl.model.zoo import Network
from cnnctl.optim.optimizers import Optimizer
from cnnctl.vocabulary import families, options, options_beside, options_of, paths_of, sections


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


def walked(
    spec: type[Spec], prefix: str, around: tuple[type[Spec], ...] = ()
) -> Iterator[tuple[str, set[str]]]:
    for name, info in spec.model_fields.items():
        path, annotation = f"{prefix}{name}", info.annotation
        is_list = get_origin(annotation) in (list, Mapping)
        below = [] if is_list else [*specs_in(annotation)]
        chosen = [part for part in below if issubclass(part, Choice) and part.family]
        kinds = {kind for part in chosen for kind in families()[part.family]}
        yield path, kinds or (set() if is_list else {*words_in(annotation)})
        if kinds:
            yield f"{path}.name", kinds
        for part in set(below) - set(around):  # an optimizer may contain another
            members = [part]
            if part in chosen:
                members = [part.kinds[kind] for kind in families()[part.family]]
            for member in members:
                yield from walked(member, f"{path}.", (*around, part))


def words_in(annotation: Any) -> Iterator[str]:
    """The words of Literals, true and false; not those of the items of a list."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if annotation is bool:
        yield from ("true", "false")
    elif origin is Literal:
        yield from map(str, parts)
    elif origin is Annotated:
        yield from words_in(parts[0])
    elif origin in (Union, UnionType):
        yield from (word for part in parts for word in words_in(part))


def test_sections_are_those_of_the_catalogue() -> None:
    assert list(sections()) == list(catalogue_sections())


def test_a_chosen_kind_leaves_out_the_options_of_others() -> None:
    found = options_beside({"optimizer": "adam", "scheduler": "nosuch"})
    ours = {path for path in found if path.startswith("optimizer.")}
    assert ours == {
        "optimizer.name",
        *(f"optimizer.{name}" for name in Optimizer.kinds["adam"].model_fields),
    }
    assert {path for path in options() if path.startswith("scheduler.")} <= set(found)


def test_the_options_of_a_kind_are_its_fields() -> None:
    for kind, member in Network.kinds.items():
        assert set(options_of("zoo", kind)) == set(member.model_fields)


def test_an_option_is_found_wherever_it_is() -> None:
    assert paths_of("lr") == ["optimizer.lr"]
    assert paths_of("batch-size") == ["data.batch_size"]
    assert paths_of("weight-decay") == ["optimizer.weight_decay", "regularization.weight_decay"]
    assert paths_of("nosuch") == []
