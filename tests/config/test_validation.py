from typing import Annotated, Any, Literal

import pytest
from pydantic import Field, field_validator

from cnnctl.config.choice import Choice, Spec
from cnnctl.config.overrides import apply
from cnnctl.config.parsing import parse
from cnnctl.config.source import locate, overlay
from cnnctl.config.validation import validate
from cnnctl.errors import FaultError

Pair = Annotated[tuple[int, int], Field(strict=False)]
Side = Annotated[int, Field(gt=0)]
Sides = Annotated[tuple[Side, ...], Field(strict=False, min_length=2, max_length=2)]


class Engine(Choice, family="test_engines"):
    """A section."""

    power: Annotated[float, Field(gt=0, le=1000)] = 1.0


class Steam(Engine, kind="steam"):
    """Old."""

    pressure: float = 1.0


class Electric(Engine, kind="electric"):
    """New."""

    elsewhere = {"tension": "volts"}

    volts: int
    mode: Literal["eco", "sport"] = "eco"


class Wagon(Choice, family="test_wagons", item=True):
    """An item."""

    label: str | None = None


class Tank(Wagon, kind="tank", short="litres"):
    """It holds something."""

    litres: Side | Literal["full"]
    size: Side | Sides = 1


class Seats(Wagon, kind="seats"):
    """People sit in it."""

    seats: Side = 10


class Stops(Spec):
    """A mapping in a union."""

    first: int
    last: int = 9


class Train(Spec):
    """All of it."""

    name: str = "train"
    fast: bool = False
    engine: Engine = Steam()
    wagons: list[Wagon] = []
    stops: Literal["all"] | Stops | None = "all"
    doors: Pair = (1, 2)
    rows: list[int] | list[list[float]] = []
    speed: Annotated[float, Field(ge=0, lt=300, allow_inf_nan=False)] = 0.0

    @field_validator("name")
    @classmethod
    def _is_not_dull(cls, name: str) -> str:
        if name == "dull":
            raise ValueError("a name like that is dull")
        return name


for family in ("test_engines", "test_wagons"):  # in no schema and no list
    del Choice.families[family]


def faults(text: str) -> list[str]:
    """Everything that is wrong, as `line:column: path: message: hint`."""
    root = parse(text, origin="x")
    with pytest.raises(FaultError) as raised:
        validate(Train, root)
    lines = []
    for fault in raised.value.faults:
        assert fault.hint
        place = str(locate(root, fault)).removeprefix("x:")
        lines.append(f"{place}: " + str(fault).replace("\n    ", ": "))
    return lines


def test_what_is_right_is_read() -> None:
    text = "{name: ice, engine: {name: electric, volts: 15}, wagons: [seats, tank: full]}"
    train = validate(Train, parse(text, origin="x"))
    assert train == Train(
        name="ice",
        engine=Electric(volts=15),
        wagons=[Seats(), Tank(litres="full")],
    )


FAULTS = [
    # options that are not there, or not known
    ("{nam: x}", "1:2: nam: no such option: did you mean name?"),
    ("{pressure: 3}", "1:2: pressure: no such option: did you mean engine.pressure?"),
    (
        "{volts: 3, engine: {name: electric, volts: 3}}",
        "1:2: volts: no such option: did you mean engine.volts?",
    ),
    (
        "{tension: 3, engine: {name: electric, volts: 3}}",
        "1:2: tension: no such option: did you mean engine.volts?",
    ),
    (
        "engine: {name: electric, volts: 3, tension: 3}",
        "1:36: engine.tension: no such option: did you mean engine.volts?",
    ),
    ("stops: {first: 1, fast: true}", "1:19: stops.fast: no such option: did you mean fast?"),
    (
        "{zzz: 3}",
        "1:2: zzz: no such option: known: name, fast, engine, wagons, stops, doors, rows, speed",
    ),
    (
        "engine: {name: steam, presure: 3}",
        "1:23: engine.presure: no such option: did you mean pressure?",
    ),
    (
        "engine: {name: steam, volts: 3}",
        "1:23: engine.volts: no such option: known: name, power, pressure",
    ),
    (
        "wagons: [tank: {litres: 3, sise: 1}]",
        "1:28: wagons.0.tank.sise: no such option: did you mean size?",
    ),
    (
        "wagons: [tank: {litres: 3, tank: 1}]",
        "1:28: wagons.0.tank.tank: no such option: known: label, litres, size",
    ),
    ("stops: {first: 1, lst: 2}", "1:19: stops.lst: no such option: did you mean last?"),
    ("engine: {name: electric}", "1:9: engine.volts: is missing: add volts: …"),
    ("engine: electric", "1:9: engine: electric needs volts: write {name: electric, volts: …}"),
    ("wagons: [tank]", "1:10: wagons.0: tank needs litres: write - tank: {litres: …}"),
    ("wagons: [tank: ]", "1:15: wagons.0.tank: tank needs litres: write - tank: {litres: …}"),
    ("wagons: [tank: {}]", "1:16: wagons.0.tank.litres: is missing: add litres: …"),
    ("stops: {}", "1:8: stops.first: is missing: add first: …"),
    # kinds
    (
        "engine: {name: stem}",
        "1:16: engine.name: no test engine is named stem: did you mean steam?",
    ),
    ("engine: stem", "1:9: engine: no test engine is named stem: did you mean steam?"),
    ("wagons: [seat]", "1:10: wagons.0: no test wagon is named seat: did you mean seats?"),
    # types
    ("{name: 2024}", "1:8: name: 2024 is not a string: put it in quotes: '2024'"),
    ("{name: true}", "1:8: name: true is not a string: put it in quotes: 'true'"),
    ("{name: [a]}", "1:8: name: [a] is not a string: write a string"),
    ("{fast: yes}", "1:8: fast: yes is not true or false: write true"),
    ("{fast: Off}", "1:8: fast: Off is not true or false: write false"),
    ("{fast: 1}", "1:8: fast: 1 is not true or false: write true or false"),
    ("{speed: '30'}", "1:9: speed: '30' is not a number: write 30, without quotes"),
    ("{speed: fast}", "1:9: speed: fast is not a number: write a number (like 0.1)"),
    ("{speed: 1_000}", "1:9: speed: 1_000 is not a number: write a number (like 0.1)"),
    (
        "engine: {name: electric, volts: 1e3}",
        "1:33: engine.volts: 1000.0 is not an integer: write 1000",
    ),
    (
        "engine: {name: electric, volts: 1.5}",
        "1:33: engine.volts: 1.5 is not an integer: write an integer (like 3)",
    ),
    ("{speed: }", "1:8: speed: is empty: write a number, or leave it out"),
    ("{wagons: tank}", "1:10: wagons: tank is not a list: write [tank]"),
    (
        "{wagons: {tank: 3}}",
        "1:10: wagons: a mapping is not a list: begin each item with a dash, like - tank",
    ),
    (
        "engine: {name: electric, volts: 3, mode: spurt}",
        "1:42: engine.mode: spurt is not eco or sport: did you mean sport?",
    ),
    (
        "engine: {name: electric, volts: 3, mode: x}",
        "1:42: engine.mode: x is not eco or sport: write eco or sport",
    ),
    # bounds
    ("{speed: -1}", "1:9: speed: -1 is too small: write a number of at least 0"),
    ("{speed: 300}", "1:9: speed: 300 is too large: write a number less than 300"),
    ("{speed: .inf}", "1:9: speed: .inf is not finite: write a finite number"),
    (
        "engine: {name: steam, power: 0}",
        "1:30: engine.power: 0 is too small: write a number greater than 0",
    ),
    (
        "engine: {name: steam, power: 1001}",
        "1:30: engine.power: 1001 is too large: write a number of at most 1000",
    ),
    ("{doors: [1]}", "1:9: doors: [1] is too short: write a list of at least 2 items"),
    ("{doors: [1, 2, 3]}", "1:9: doors: [1, 2, 3] is too long: write a list of at most 2 items"),
    ("{doors: [1, x]}", "1:13: doors.1: x is not an integer: write an integer (like 3)"),
    # unions
    (
        "wagons: [tank: half]",
        "1:16: wagons.0.tank: half is not an integer or full: write an integer (like 3) or full",
    ),
    (
        "wagons: [tank: ful]",
        "1:16: wagons.0.tank: ful is not an integer or full: did you mean full?",
    ),
    ("wagons: [tank: 0]", "1:16: wagons.0.tank: 0 is too small: write a number greater than 0"),
    (
        "wagons: [tank: {litres: 1, size: 0}]",
        "1:34: wagons.0.tank.size: 0 is too small: write a number greater than 0",
    ),
    (
        "wagons: [tank: {litres: 1, size: [1]}]",
        "1:34: wagons.0.tank.size: [1] is too short: write a list of at least 2 items",
    ),
    (
        "wagons: [tank: {litres: 1, size: [1, 0]}]",
        "1:38: wagons.0.tank.size.1: 0 is too small: write a number greater than 0",
    ),
    (
        "wagons: [seats: {seats: 0}]",
        "1:25: wagons.0.seats.seats: 0 is too small: write a number greater than 0",
    ),
    (
        "stops: some",
        "1:8: stops: some is not all or a mapping of options: "
        "write all or a mapping of options (like {option: value})",
    ),
    (
        "stops: {first: x}",
        "1:16: stops.first: x is not an integer: write an integer (like 3)",
    ),
    ("rows: [0, 1, x]", "1:14: rows.2: x is not an integer: write an integer (like 3)"),
    ("rows: [[0], [x]]", "1:14: rows.1.0: x is not a number: write a number (like 0.1)"),
    # a validator that knows no hint
    ("{name: dull}", "1:8: name: a name like that is dull: change it, or leave it out"),
]


@pytest.mark.parametrize(("text", "fault"), FAULTS)
def test_a_fault_has_place_path_message_and_cure(text: str, fault: str) -> None:
    assert faults(text) == [fault]


def test_all_faults_are_found_at_once() -> None:
    text = "nam: x\nfast: yes\nengine:\n  name: steam\n  powr: 3\nwagons:\n  - tank\n  - seat\n"
    places = ["1:1: nam", "2:7: fast", "5:3: engine.powr", "7:5: wagons.0", "8:5: wagons.1"]
    found = faults(text)
    assert len(found) == len(places)
    for place in places:
        assert any(line.startswith(f"{place}: ") for line in found)


def test_a_long_value_is_shortened() -> None:
    [fault] = faults("{speed: " + "very" * 100 + "}")
    assert len(fault) < 120


def test_an_unprintable_value_is_quoted() -> None:
    [fault] = faults('{speed: "\\e[31mred"}')
    assert r"'\x1b[31mred' is not a number" in fault


def over(lower: str, upper: str) -> Any:
    root = overlay(parse(lower, origin="base", layer=-1), parse(upper, origin="x"))
    return validate(Train, root).engine


def test_another_kind_drops_the_options_of_the_kind_below() -> None:
    lower = "engine: {name: steam, pressure: 3, power: 2}"
    assert over(lower, "engine: {name: electric, volts: 5}") == Electric(volts=5, power=2)
    assert over(lower, "engine: {power: 7}") == Steam(pressure=3, power=7)
    assert over("engine: steam", "engine: {power: 7}") == Steam(power=7)
    assert over(lower, "engine: steam") == Steam()


def test_an_override_drops_the_options_of_the_kind_in_the_file() -> None:
    root = parse("engine: {name: electric, volts: 5, mode: sport}", origin="x")
    assert validate(Train, apply(root, ["engine.name=steam"])).engine == Steam()


def test_an_unknown_option_beside_its_kind_is_never_dropped() -> None:
    with pytest.raises(FaultError, match="presure: no such option"):
        over("engine: {name: electric, volts: 3}", "engine: {name: steam, presure: 3}")
    with pytest.raises(FaultError, match="presure: no such option"):
        over("engine: {name: steam, presure: 3}", "engine: {power: 3}")
