"""The parameters of a class as they are found, and what each argument is in their terms."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from cnnctl.export.source.expressions import Argument, Name, same
from cnnctl.export.source.parameters import ABSENT, CHANNELS, Parameter, Slot, Values
from cnnctl.export.source.relations import agree, factor_of, is_multiple

_NEVER_WIDTHS = ("kernel_size", "stride", "padding", "dilation", "p", "eps", "momentum")
"""Arguments that are equal to a number of channels by chance only."""
MOST_REPEATED = 3
"""Uses of a product from which on it gets a variable."""


@dataclass(slots=True)
class Signature:
    """Collects parameters, and finds the expression for each argument."""

    before: Values
    """The channels of the input, in each block."""
    after: Values
    """Those of the output."""
    noun: str
    parameters: list[Parameter] = field(default_factory=list)
    widths: set[Values] = field(default_factory=set)
    """The values of all arguments that count channels."""

    def take_all(self, slots: Sequence[Slot]) -> None:
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
                alike = [each for each in slots if self._fits(each, slot)]
                self._add(hidden.get(slot.values) or self._option(alike), alike)

    def _has(self, values: Values) -> bool:
        return any(parameter.values == values for parameter in self.parameters)

    def _add(self, name: str, alike: Sequence[Slot]) -> None:
        counts = any(each.counts_channels for each in alike)
        default = ... if counts else _default(alike)
        roles = frozenset(each.argument.name for each in alike)
        parameter = Parameter(
            name, alike[0].values, default=default, counts_channels=counts, roles=roles
        )
        self.parameters.append(parameter)

    def _fits(self, slot: Slot, other: Slot) -> bool:
        """Whether two arguments are the same parameter."""
        is_width = other.values in self.widths and slot.argument.name not in _NEVER_WIDTHS
        return slot.values == other.values and (
            is_width or slot.argument.name == other.argument.name
        )

    def _end(self, values: Values) -> str:
        """The name for the channels of the input or the output."""
        if self.before == self.after:
            return self.noun
        return f"in_{self.noun}" if values == self.before else f"out_{self.noun}"

    def _hidden(self, varying: Sequence[Slot]) -> dict[Values, str]:
        """Names for all other channels: by the layers that have them, if there are several."""
        firsts: dict[Values, Slot] = {}
        for slot in varying:
            is_known = self._known(slot) or any(is_multiple(slot.values, of) for of in firsts)
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

    def _names(self, slot: Slot) -> list[str]:
        """Possible names for the channels of a layer, the best one first."""
        name, parts = slot.argument.name, slot.path.split(".")
        own = [] if name in CHANNELS else [name]
        paths = (parts[0], parts[-1], _stem(slot.path))
        return [*own, *(f"{path}_{self.noun}" for path in paths), f"{_stem(slot.path)}_{name}"]

    def expression(self, slot: Slot) -> object:
        """What to write for an argument."""
        if slot.is_partial:
            known = self._known(slot)
            if known is None or (slot.is_constant and not self._is_namesake(slot, known)):
                return next(value for value in slot.values if value is not ABSENT)
            return known
        is_end = slot.counts_channels and self._has(slot.values)
        return slot.values[0] if slot.is_constant and not is_end else self._known(slot)

    def condition(self, way: str, present: tuple[bool, ...]) -> str:
        """When a block has a way that others lack."""
        tests = {}
        by_name = {each.name: each for each in self.parameters}
        if "stride" in by_name:
            tests["stride != 1"] = tuple(value != 1 for value in by_name["stride"].values)
        before = self._known(Slot("", Argument("in_channels", 0), self.before))
        after = self._known(Slot("", Argument("out_channels", 0), self.after))
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

    def _known(self, slot: Slot) -> Name | None:
        """A parameter, or a multiple of one, that has the values of an argument."""
        if slot.argument.name == "extra" and self._has(self.before) and self._has(self.after):
            pairs = zip(self.after, self.before, strict=True)
            extra = tuple(b - a for b, a in pairs if isinstance(a, int) and isinstance(b, int))
            if self.before != self.after and agree(slot.values, extra):
                return Name(f"out_{self.noun} - in_{self.noun}")
        options = sorted(self.parameters, key=lambda each: each.name != slot.argument.name)
        if slot.argument.name in ("out_channels", "num_features", "out_features"):
            options.sort(key=lambda each: each.values != self.after)
        for parameter in options:
            is_width = parameter.counts_channels and slot.argument.name not in _NEVER_WIDTHS
            is_alike = is_width or slot.argument.name in parameter.roles
            if is_alike and agree(slot.values, parameter.values):
                return Name(parameter.name)
        for parameter in options:
            factor = factor_of(slot, parameter, counts_channels=slot.values in self.widths)
            if factor:
                return Name(factor)
        return None

    def _is_namesake(self, slot: Slot, known: Name) -> bool:
        return slot.counts_channels or slot.argument.name == known.text

    def _option(self, alike: Sequence[Slot]) -> str:
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


def _default(alike: Sequence[Slot]) -> object:
    defaults = {id(type(each.argument.default)): each.argument.default for each in alike}
    (default, *others) = defaults.values()
    is_used = not others and any(same(value, default) for value in alike[0].values)
    return default if is_used else ...
