"""Python expressions: calls with arguments, and their text as `ruff format` writes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from keyword import iskeyword

WIDTH = 88
"""Characters of a line, as ruff's and black's default."""
INDENT = "    "


@dataclass(frozen=True, slots=True)
class Name:
    """An expression that is written as it is: a variable, or arithmetic with one."""

    text: str


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument of a call."""

    name: str
    value: object
    default: object = field(default=..., kw_only=True)
    """Left out if it has this value; none (...) for one that is required."""
    is_positional: bool = field(default=False, kw_only=True)
    is_named: bool = field(default=False, kw_only=True)
    """Whether it is always given by name."""

    @property
    def is_default(self) -> bool:
        """Whether it can be left out."""
        return self.default is not ... and same(self.value, self.default)


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a class or a function, with all of its arguments."""

    function: str
    arguments: tuple[Argument, ...] = ()

    @property
    def values(self) -> list[object]:
        """The values of its arguments."""
        return [argument.value for argument in self.arguments]

    def filled(self, values: Sequence[object]) -> Call:
        """The same call with other values."""
        pairs = zip(self.arguments, values, strict=True)
        return replace(self, arguments=tuple(replace(each, value=value) for each, value in pairs))

    def value(self, name: str) -> object:
        """The value of an argument."""
        return next(each.value for each in self.arguments if each.name == name)

    def document(self) -> Document:
        """Its text, which may be broken into lines."""
        items = tuple(Item("", Text(text)) for text in arguments_of(self))
        return Group(f"{self.function}(", items, ")")


@dataclass(frozen=True, slots=True)
class Text:
    """Text that is never broken."""

    text: str


@dataclass(frozen=True, slots=True)
class Group:
    """Brackets around items, which are broken into one line each where they do not fit."""

    start: str
    items: tuple[Item, ...]
    end: str
    is_broken: bool = False
    """Whether it is always broken."""
    is_collection: bool = False
    """Whether it is a tuple, a list or a dictionary, and not the arguments of a call."""
    is_loop: bool = False
    """Whether its items are the parts of one comprehension, without commas."""


Document = Text | Group


@dataclass(frozen=True, slots=True)
class Item:
    """An item, with the name that it is given as."""

    prefix: str
    document: Document


def same(value: object, other: object) -> bool:
    """Whether two values are equal and of the same kind: True is not 1."""
    return value == other and isinstance(value, bool) == isinstance(other, bool)


def arguments_of(call: Call) -> list[str]:
    """The arguments of a call as text, without those that have their defaults."""
    given = [each for each in call.arguments if not each.is_default]
    is_lone = len(given) == 1 and given[0] is call.arguments[0] and _is_plain(given[0])
    return [
        ("" if each.is_positional or is_lone else f"{each.name}=") + written(each.value)
        for each in given
    ]


def _is_plain(argument: Argument) -> bool:
    """Whether an argument says what it is without its name."""
    return not argument.is_named and not isinstance(argument.value, bool | str | Name)


def written(value: object) -> str:
    """A value in Python."""
    if isinstance(value, Name):
        return value.text
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, tuple):
        return "(" + ", ".join(map(written, value)) + (",)" if len(value) == 1 else ")")
    return repr(value)


def attribute(name: str) -> str:
    """A submodule of `self`, also if its name is a number, or a word of Python's."""
    return f"self.{name}" if is_attribute(name) else f"self.get_submodule({written(name)})"


def is_attribute(name: str) -> bool:
    """Whether a name can stand after a dot, and before an equals sign."""
    return name.isidentifier() and not iskeyword(name)


def _quoted(text: str) -> str:
    """A string in the quotes that ruff prefers; all that cannot be printed is escaped."""
    quote = "'" if '"' in text and "'" not in text else '"'
    escapes = {"\\": "\\\\", quote: f"\\{quote}"}
    characters = (
        escapes.get(each, each) if each.isprintable() else each.encode("unicode_escape").decode()
        for each in text
    )
    return quote + "".join(characters) + quote


def flat(document: Document) -> str:
    """A document on one line."""
    if isinstance(document, Text):
        return document.text
    items = [item.prefix + flat(item.document) for item in document.items]
    return document.start + (" " if document.is_loop else ", ").join(items) + document.end


def lines_of(document: Document, *, before: str, after: str = "", indent: int = 0) -> list[str]:
    """A statement with this document, in lines that fit where they can.

    Args:
        before: text before it on its first line.
        after: text behind it on its last line.
        indent: characters that the first line is indented by.
    """
    whole = " " * indent + before + flat(document) + after
    if isinstance(document, Text) or (len(whole) <= WIDTH and not has_break(document)):
        return [whole]
    inner = indent + len(INDENT)
    first, last = " " * indent + before + document.start, " " * indent + document.end + after
    joined = flat(replace(document, start="", end=""))
    can_join = not document.is_collection and not has_break(document)
    if can_join and inner + len(joined) <= WIDTH:
        return [first, " " * inner + joined, last]
    comma = "" if document.is_loop or _is_hugged(document.items) else ","
    items = (
        lines_of(item.document, before=item.prefix, after=comma, indent=inner)
        for item in document.items
    )
    return [first, *(line for lines in items for line in lines), last]


def _is_hugged(items: Sequence[Item]) -> bool:
    """Whether brackets hold nothing but other brackets, after which no comma is written."""
    lone = items[0].document if len(items) == 1 and not items[0].prefix else None
    return isinstance(lone, Group) and lone.start in ("{", "[", "(")


def has_break(document: Document) -> bool:
    """Whether it holds a group that is always broken."""
    if isinstance(document, Text):
        return False
    return document.is_broken or any(has_break(item.document) for item in document.items)
