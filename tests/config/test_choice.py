"""A family of its own, so that these promises hold whatever kinds there are."""

import types
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import ValidationError

from cnnctl.config.choice import UNKNOWN, Choice, Spec, nearest_kind
from cnnctl.optim.losses import Loss


@pytest.fixture
def families() -> Iterator[None]:
    """Take what a test declares back."""
    before = dict(Choice.families)
    yield
    Choice.families.clear()
    Choice.families.update(before)


@pytest.fixture
def pets(families: None) -> type[Choice]:
    class Pet(Choice, family="pets"):
        """A section."""

        age: int = 1

    class Cat(Pet, kind="cat"):
        """It purrs."""

        lives: int = 9

    class Snail(Pet, kind="snail"):
        """It carries its house."""

        house: str
        shell: float | None = None

    return Pet


@pytest.fixture
def toys(families: None) -> type[Choice]:
    class Toy(Choice, family="toys", item=True):
        """An item of a list."""

        name: str | None = None

    class Ball(Toy, kind="ball", short="size"):
        """It rolls."""

        size: int

    class Rope(Toy, kind="rope"):
        """It does not."""

        length: float = 1.0

    class Box(Toy, kind="box"):
        """It is the best of all."""

    return Toy


def refused(family: type[Choice], value: Any) -> tuple[str, str]:
    class Home(Spec):
        held: family  # type: ignore[valid-type]

    with pytest.raises(ValidationError) as raised:
        Home.model_validate({"held": value})
    [detail] = raised.value.errors()
    unknown = detail["ctx"] if detail["type"] == UNKNOWN else None
    hint = nearest_kind(family, unknown["kind"]) if unknown else detail["ctx"]["hint"]
    return detail["msg"], hint


def test_a_section_is_a_name_or_a_mapping_with_one(pets: type[Choice]) -> None:
    cat = pets.read("cat")
    assert cat.model_dump() == {"age": 1, "lives": 9}
    assert pets.read({"name": "cat"}) == cat
    assert pets.read({"name": "cat", "lives": 7}).options() == {"age": 1, "lives": 7}
    assert pets.read(cat) is cat


def test_an_item_is_a_kind_or_a_kind_with_options(toys: type[Choice]) -> None:
    rope = toys.read("rope")
    forms: list[Any] = [{"rope": None}, {"rope": {}}, {"rope": {"length": 1.0}}]
    for form in forms:
        assert toys.read(form) == rope
    assert toys.read({"ball": {"size": 3}}) == toys.read({"ball": 3})


def test_a_member_is_written_as_it_is_read(pets: type[Choice], toys: type[Choice]) -> None:
    snail = pets.read({"name": "snail", "house": "round"})
    assert snail.written() == {"name": "snail", "age": 1, "house": "round"}
    assert toys.read({"ball": 3}).written() == {"ball": {"size": 3}}
    assert toys.read("box").written() == "box"


def test_a_member_knows_its_kind_and_its_family(pets: type[Choice]) -> None:
    assert [kind.kind for kind in pets.kinds.values()] == ["cat", "snail"]
    assert {kind.family for kind in pets.kinds.values()} == {"pets"}
    assert Choice.families["pets"] is pets


def test_two_kinds_of_one_name_are_a_mistake(pets: type[Choice]) -> None:
    with pytest.raises(TypeError, match="pets has two kinds named cat"):
        types.new_class("Tiger", (pets,), {"kind": "cat"})


def test_a_kind_stands_alone_where_nothing_must_be_given(
    pets: type[Choice], toys: type[Choice]
) -> None:
    alone = [kind.stands_alone() for kind in (*pets.kinds.values(), *toys.kinds.values())]
    assert alone == [True, False, False, True, True]


@pytest.mark.parametrize(
    ("value", "fault", "hint"),
    [
        ("catt", "no pet is named catt", "did you mean cat?"),
        ("Cat", "no pet is named Cat", "did you mean cat?"),
        ("goldfish", "no pet is named goldfish", "known: cat, snail"),
        ("", "no pet is named ''", "known: cat, snail"),
        (3, "a pet needs a name", "write {name: …}; known: cat, snail"),
        (None, "a pet needs a name", "write {name: …}; known: cat, snail"),
        (["cat"], "a pet needs a name", "write {name: …}; known: cat, snail"),
        ({"age": 3}, "a pet needs a name", "add name: …; known: cat, snail"),
        ({"name": 3}, "a pet needs a name", "add name: …; known: cat, snail"),
    ],
)
def test_a_section_that_names_no_kind_is_refused(
    pets: type[Choice], value: Any, fault: str, hint: str
) -> None:
    assert refused(pets, value) == (fault, hint)


@pytest.mark.parametrize(
    ("value", "fault", "hint"),
    [
        ("bal", "no toy is named bal", "did you mean ball?"),
        ({"bal": 3}, "no toy is named bal", "did you mean ball?"),
        (3, "a toy is `kind` or `kind: options`", "use one listed by `cnnctl list toys`"),
        ({}, "a toy is `kind` or `kind: options`", "use one listed by `cnnctl list toys`"),
        ({"ball": None, "size": 3}, "a toy is `kind` or `kind: options`", "the options of ball"),
        ({"rope": 3}, "rope takes no value", "write rope: {length: …}"),
        ({"box": 3}, "box takes no value", "write just box"),
    ],
)
def test_an_item_that_names_no_kind_is_refused(
    toys: type[Choice], value: Any, fault: str, hint: str
) -> None:
    message, advice = refused(toys, value)
    assert message == fault
    assert hint in advice


def test_many_kinds_are_not_all_named(toys: type[Choice]) -> None:
    for number in range(30):
        types.new_class(f"Toy{number}", (toys,), {"kind": f"toy_{number}"})
    assert refused(toys, "zebra")[1] == "`cnnctl list toys` lists all"


def test_an_article_suits_its_noun(families: None) -> None:
    class Onion(Choice, family="onions"):
        """A vegetable."""

    assert Onion.noun(a=True) == "an onion"
    assert (Loss.noun(), Loss.noun(a=True)) == ("loss", "a loss")


def test_numbers_are_not_made_of_texts_nor_of_truth(pets: type[Choice]) -> None:
    for value in ("3", True, 2.0):
        with pytest.raises(ValidationError):
            pets.read({"name": "cat", "lives": value})
