"""The docstrings below fields, read from the source."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict

from cnnctl.config.choice import Choice, Spec
from cnnctl.config.helps import field_helps

KINDS = [kind for family in Choice.families.values() for kind in family.kinds.values()]


class Base(Spec):
    """Not the help of a field."""

    first: int = 1
    """Of the first."""
    silent: int = 2
    second: list[int] = []
    """Of the second,
    on two lines."""


class Derived(Base):
    second: list[int] = [1]
    """Another."""

    def method(self) -> None:
        """Not the help of a field."""


def test_each_field_has_the_docstring_below_it() -> None:
    assert field_helps(Base) == {
        "first": "Of the first.",
        "second": "Of the second,\non two lines.",
    }


def test_a_class_inherits_helps_and_may_change_them() -> None:
    assert field_helps(Derived) == {"first": "Of the first.", "second": "Another."}


def test_classes_in_functions_are_found_as_well() -> None:
    class Local(Spec):
        option: int = 1
        """Help."""

    assert field_helps(Local) == {"option": "Help."}


def test_a_class_without_source_has_none() -> None:
    space: dict[str, Any] = {"Spec": Spec, "__name__": "nowhere"}
    exec("class Made(Spec):\n    option: int = 1\n    'Help.'\n", space)
    assert field_helps(space["Made"]) == {}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind.family}.{kind.kind}")
def test_every_option_of_every_kind_has_help(kind: type[Choice]) -> None:
    assert set(kind.model_fields) == set(field_helps(kind)) & set(kind.model_fields)
    assert all(info.description for info in kind.fields().values())


def test_pydantics_own_reader_agrees() -> None:
    class Theirs(BaseModel):
        model_config = ConfigDict(use_attribute_docstrings=True)

        first: int = 1
        """Of the first."""
        second: int = 2
        """Of the second,
        on two lines."""

    wanted = {name: info.description for name, info in Theirs.model_fields.items()}
    assert field_helps(Theirs) == wanted
