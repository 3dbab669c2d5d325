"""What differs between blocks of one class: its parameters, and their values in each block."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from cnnctl.export.source.expressions import Argument, Name, same, written
from cnnctl.export.source.nodes import Chain, Flow, Leaf, Node, arguments_in, with_values

_CHANNELS = (
    *("in_channels", "out_channels", "in_features", "out_features"),
    *("num_features", "num_channels", "normalized_shape", "channels", "hidden_channels"),
)
MOST_REPEATED = 3
_LARGEST_PART = 8
"""A width is written as a part of another up to this divisor."""
_ABSENT = object()
"""The value of an argument in a block that lacks its module."""

Values = tuple[object, ...]
"""The value of one argument in each block."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a class, with its value in each block."""

    name: str
    values: Values
    default: object = field(default=..., kw_only=True)
    counts_channels: bool = field(default=False, kw_only=True)

    def argument(self, block: int) -> Argument:
        """Its argument in the call for a block."""
        value = self.values[block]
        return Argument(self.name, value, default=self.default, is_positional=self.counts_channels)

    def declared(self) -> str:
        """Its declaration in the signature of `__init__`."""
        default = "" if self.default is ... else f" = {written(self.default)}"
        return f"{self.name}: {annotation(self.values)}{default}"


def annotation(values: Values) -> str:
    """The type of some values."""
    kinds = {_kind(value): None for value in values}
    if set(kinds) == {"int", "float"}:
        return "float"
    return " | ".join(kinds)


def _kind(value: object) -> str:
    if isinstance(value, tuple):
        return f"tuple[{', '.join(_kind(each) for each in value)}]"
    return type(value).__name__ if value is not None else "None"


@dataclass(frozen=True, slots=True)
class Unified:
    """Blocks as one: parameters, and a node whose calls refer to them."""

    parameters: tuple[Parameter, ...]
    node: Node
    conditions: dict[str, str]
    """For a way that only some blocks have, when they do."""
    local: dict[str, str]
    """Widths that are computed from parameters first, by the names of their variables."""


@dataclass(slots=True)
class _Slot:
    path: str
    argument: Argument
    values: Values

    @property
    def counts_channels(self) -> bool:
        name = self.argument.name
        return name in _CHANNELS or name.endswith(("_channels", "_features"))

    @property
    def is_partial(self) -> bool:
        return any(value is _ABSENT for value in self.values)

    @property
    def is_constant(self) -> bool:
        return len({(type(value), value) for value in self.values if value is not _ABSENT}) == 1


def unify(blocks: Sequence[Node]) -> Unified:
    """Make one node of blocks with the same key."""
    whole = _whole(blocks)
    columns = zip(*(_aligned(block, whole) for block in blocks), strict=True)
    slots = [
        _Slot(path, argument, values)
        for (path, argument), values in zip(arguments_in(whole), columns, strict=True)
    ]
    naming = _Naming(
        tuple(_shape(block, 0)[0] for block in blocks),
        tuple(_shape(block, -1)[0] for block in blocks),
        "channels" if len(_shape(blocks[0], 0)) > 1 else "features",
    )
    naming.take_all(slots)
    conditions: dict[str, str] = {}
    for way, present in _partial_ways(blocks):
        conditions[way] = naming.condition(way, present)
    expressions = [naming.expression(slot) for slot in slots]
    local = naming.locals_of(expressions)
    named = {text: Name(name) for name, text in local.items()}
    shorter = (
        named.get(each.text, each) if isinstance(each, Name) else each for each in expressions
    )
    return Unified(naming.ordered(), with_values(whole, shorter), conditions, local)


def _whole(blocks: Sequence[Node]) -> Node:
    """The first block, with the ways that only others have."""
    first = blocks[0]
    if not isinstance(first, Flow):
        return first
    alike = [block for block in blocks if isinstance(block, Flow)]
    ways = tuple(
        next((block.ways[n] for block in alike if block.ways[n].parts), way)
        for n, way in enumerate(first.ways)
    )
    return replace(first, ways=ways)


def _aligned(node: Node, whole: Node) -> Iterator[object]:
    """The values of a node's arguments, at the places of those of the whole."""
    if isinstance(node, Leaf):
        yield from node.call.values
    elif isinstance(node, Chain):
        assert isinstance(whole, Chain)
        for part, other in zip(node.parts, whole.parts, strict=True):
            yield from _aligned(part, other)
    else:
        assert isinstance(whole, Flow)
        for own, way in zip(node.ways, whole.ways, strict=True):
            if way.parts and not own.parts:
                yield from (_ABSENT for _ in arguments_in(way.chain))
            else:
                yield from _aligned(own.chain, way.chain)


def _partial_ways(blocks: Sequence[Node]) -> Iterator[tuple[str, tuple[bool, ...]]]:
    alike = [block for block in blocks if isinstance(block, Flow)]
    for number, way in enumerate(alike[0].ways if alike else ()):
        present = tuple(bool(block.ways[number].parts) for block in alike)
        if len(set(present)) > 1:
            yield way.name, present


def _shape(node: Node, end: int) -> tuple[int, ...]:
    """The input shape of a node (0), or its output shape (-1)."""
    if isinstance(node, Chain):
        return _shape(node.parts[end], end)
    ends = (node.planned.input, node.planned.output) if isinstance(node, Flow) else None
    return (ends or (node.input, node.output))[end]  # type: ignore[union-attr]


@dataclass(slots=True)
class _Naming:
    """Collects parameters, and finds the expression for each argument."""

    before: Values
    """The channels of the input, in each block."""
    after: Values
    """Those of the output."""
    noun: str
    parameters: list[Parameter] = field(default_factory=list)
    widths: set[Values] = field(default_factory=set)
    """The values of all arguments that count channels."""

    def take_all(self, slots: Sequence[_Slot]) -> None:
        """Add a parameter for each argument that varies, unless others give it.

        Those for the channels of input and output come first, and even if only the other varies.
        """
        self.widths = {slot.values for slot in slots if slot.counts_channels}
        varying = [slot for slot in slots if not slot.is_partial and not slot.is_constant]
        if any(slot.counts_channels for slot in varying):
            for ends in (self.before, self.after):
                alike = [slot for slot in slots if slot.counts_channels and slot.values == ends]
                if alike and not self._has(ends):
                    self._add(self._end(ends), alike)
        hidden = self._hidden(varying)
        for slot in varying:
            if self._known(slot) is None:
                alike = [each for each in slots if each.values == slot.values]
                self._add(hidden.get(slot.values) or self._option(alike), alike)

    def _has(self, values: Values) -> bool:
        return any(parameter.values == values for parameter in self.parameters)

    def _add(self, name: str, alike: Sequence[_Slot]) -> None:
        counts = any(each.counts_channels for each in alike)
        default = ... if counts else _default(alike)
        values = alike[0].values
        self.parameters.append(Parameter(name, values, default=default, counts_channels=counts))

    def _end(self, values: Values) -> str:
        """The name for the channels of the input or the output."""
        if self.before == self.after:
            return self.noun
        return f"in_{self.noun}" if values == self.before else f"out_{self.noun}"

    def _hidden(self, varying: Sequence[_Slot]) -> dict[Values, str]:
        """Names for all other channels: by the layers that have them, if there are several."""
        firsts: dict[Values, _Slot] = {}
        for slot in varying:
            is_known = self._known(slot) or any(_is_multiple(slot.values, of) for of in firsts)
            if slot.counts_channels and not is_known:
                firsts[slot.values] = slot
        if len(firsts) == 1:
            return dict.fromkeys(firsts, f"hidden_{self.noun}")
        options = {values: self._names(slot) for values, slot in firsts.items()}
        taken = Counter(name for names in options.values() for name in set(names))
        return {
            values: next((name for name in names if taken[name] == 1), names[-1])
            for values, names in options.items()
        }

    def _names(self, slot: _Slot) -> list[str]:
        """Possible names for the channels of a layer, the best one first."""
        name, parts = slot.argument.name, slot.path.split(".")
        own = [] if name in _CHANNELS else [name]
        paths = (parts[0], parts[-1], _stem(slot.path))
        return [*own, *(f"{path}_{self.noun}" for path in paths), f"{_stem(slot.path)}_{name}"]

    def expression(self, slot: _Slot) -> object:
        """What to write for an argument."""
        if slot.is_partial:
            known = self._known(slot)
            if known is None or (slot.is_constant and not self._is_namesake(slot, known)):
                return next(value for value in slot.values if value is not _ABSENT)
            return known
        is_end = slot.counts_channels and self._has(slot.values)
        return slot.values[0] if slot.is_constant and not is_end else self._known(slot)

    def condition(self, way: str, present: tuple[bool, ...]) -> str:
        """When a block has a way that others lack."""
        tests = {}
        by_name = {each.name: each for each in self.parameters}
        if "stride" in by_name:
            tests["stride != 1"] = tuple(value != 1 for value in by_name["stride"].values)
        before = self._known(_Slot("", Argument("in_channels", 0), self.before))
        after = self._known(_Slot("", Argument("out_channels", 0), self.after))
        if before and after and before != after:
            test = f"{before.text} != {after.text}"
            pairs = zip(self.before, self.after, strict=True)
            tests[test] = tuple(one != other for one, other in pairs)
        both = tuple(any(each) for each in zip(*tests.values(), strict=True))
        if both == present:
            return " or ".join(tests)
        for test, holds in tests.items():
            if holds == present:
                return test
        name = f"has_{way}"
        self.parameters.append(Parameter(name, present, default=False))
        return name

    def locals_of(self, expressions: Sequence[object]) -> dict[str, str]:
        """A variable for the product that is needed most often, if that is too often to repeat."""
        texts = Counter(each.text for each in expressions if isinstance(each, Name))
        computed = [text for text in texts if " " in text and texts[text] >= MOST_REPEATED]
        name = f"hidden_{self.noun}"
        is_free = all(parameter.name != name for parameter in self.parameters)
        return {name: computed[0]} if len(computed) == 1 and is_free else {}

    def ordered(self) -> tuple[Parameter, ...]:
        """The parameters, as they are declared."""
        first = (f"in_{self.noun}", self.noun, f"out_{self.noun}")

        def rank(parameter: Parameter) -> tuple[bool, bool, int]:
            at = first.index(parameter.name) if parameter.name in first else len(first)
            return parameter.default is not ..., not parameter.counts_channels, at

        return tuple(sorted(self.parameters, key=rank))

    def _known(self, slot: _Slot) -> Name | None:
        """A parameter, or a multiple of one, that has the values of an argument."""
        options = sorted(self.parameters, key=lambda each: each.name != slot.argument.name)
        if slot.argument.name in ("out_channels", "num_features", "out_features"):
            options.sort(key=lambda each: each.values != self.after)
        for parameter in options:
            if _agree(slot.values, parameter.values):
                return Name(parameter.name)
        for parameter in options:
            factor = _factor(slot, parameter, counts_channels=slot.values in self.widths)
            if factor:
                return Name(factor)
        return None

    def _is_namesake(self, slot: _Slot, known: Name) -> bool:
        return slot.counts_channels or slot.argument.name == known.text

    def _option(self, alike: Sequence[_Slot]) -> str:
        slot = alike[0]
        name = slot.argument.name
        if name == "p":
            name = slot.path.rpartition(".")[2].rstrip("0123456789")
        return self._free(name, f"{_stem(slot.path)}_{slot.argument.name}")

    def _free(self, *names: str) -> str:
        taken = {parameter.name for parameter in self.parameters}
        numbered = (f"{names[-1]}{n}" for n in range(2, 1000))
        return next(name for name in (*names, *numbered) if name not in taken)


def _stem(path: str) -> str:
    return path.replace(".", "_")


def _default(alike: Sequence[_Slot]) -> object:
    defaults = {id(type(each.argument.default)): each.argument.default for each in alike}
    (default, *others) = defaults.values()
    is_used = not others and any(same(value, default) for value in alike[0].values)
    return default if is_used else ...


def _is_multiple(values: Values, others: Values) -> bool:
    """Whether all are the same multiple of others, or equal."""
    pairs = list(zip(values, others, strict=True))
    numbers = [(a, b) for a, b in pairs if isinstance(a, int) and isinstance(b, int) and b]
    factors = {divmod(one, other) for one, other in numbers}
    return len(numbers) == len(pairs) and len(factors) == 1 and not next(iter(factors))[1]


def _agree(values: Values, others: Values) -> bool:
    pairs = zip(values, others, strict=True)
    return all(one is _ABSENT or same(one, other) for one, other in pairs)


def _factor(slot: _Slot, parameter: Parameter, *, counts_channels: bool) -> str:
    """An argument as a multiple of a parameter; padding as half of a kernel."""
    pairs = list(zip(slot.values, parameter.values, strict=True))
    numbers = [
        (one, other)
        for one, other in pairs
        if isinstance(one, int) and isinstance(other, int) and other > 0
    ]
    if len(numbers) < len(pairs) - sum(one is _ABSENT for one, _ in pairs) or not numbers:
        return ""
    is_border = slot.argument.name == "padding" and parameter.name == "kernel_size"
    if is_border and all(one == other // 2 for one, other in numbers):
        return f"{parameter.name} // 2"
    if not (counts_channels and parameter.counts_channels):
        return ""
    factor = numbers[0][0] // numbers[0][1]
    if factor > 1 and all(one == factor * other for one, other in numbers):
        return f"{factor} * {parameter.name}"
    factor = numbers[0][1] // max(1, numbers[0][0])
    is_part = 1 < factor <= _LARGEST_PART and all(one * factor == other for one, other in numbers)
    return f"{parameter.name} // {factor}" if is_part else ""
