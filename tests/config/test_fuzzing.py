"""Whatever stands in a file, reading it ends well or in faults with a place, and no traceback."""

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cnnctl.config.choice import Choice
from cnnctl.config.writing import dump
from cnnctl.errors import ExitCode, FaultError
from cnnctl.experiment import Experiment, load
from cnnctl.inspection import gather

CONFIGS = Path(__file__).parents[2] / "configs"
SHIPPED = [path.read_text(encoding="utf-8") for path in sorted(CONFIGS.glob("*.yaml"))]
MOST = 20_000
"""Characters of all that is said about one file."""

KINDS = sorted({kind for family in Choice.families.values() for kind in family.kinds})
OPTIONS = sorted(
    {
        name
        for family in Choice.families.values()
        for kind in family.kinds.values()
        for name in kind.model_fields
    }
)
WORDS = [*KINDS, *OPTIONS, *Experiment.model_fields, "name", "base", "blocks", "zoo", "torchvision"]
PIECES = [
    *("&a ", "*a", "<<: *a\n", "!!python/object:os.system ", "!!binary ", "? ", "- ", ": ", "\t"),
    *("{", "}", "[", "]", "|\n", ">\n", "'", '"', "#", "---\n", "...\n", "%YAML 1.1\n", "\\ud800"),
    *("$width / 0", "$", "${x}", "$a ** 2", ".inf", "-.inf", ".nan", "1e999", "0x" + "f" * 90),
    *(
        "9" * 99,
        "-1",
        "1e9",
        "10**9",
        "null",
        "~",
        "yes",
        "true",
        "\x1b[31m",
        "\u202e",
        "é",
        "\x00",
    ),
    *("../../etc/passwd", "/dev/null", "x" * 500, "[" * 80, "\ufeff", "\r", "\x85", "\u2028"),
]
FUZZED = settings(
    max_examples=1500, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)

words = st.sampled_from(WORDS)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([0, -1, 10**9, 10**30, 2**63, 0.5, 1e300, float("inf"), float("nan")]),
    st.floats(),
    st.text(max_size=12),
    words,
    st.sampled_from(["$width", "$width / 16", "classes", "auto", "all", "backbone", "DEFAULT"]),
)
structures = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words | st.text(), inner),
    max_leaves=12,
)


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """A shipped experiment with pieces cut out, put in, doubled or exchanged."""
    text = draw(st.sampled_from(SHIPPED))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 12)))
        put_in = draw(st.sampled_from([*PIECES, *WORDS, text[start:end] * 2]) | st.text(max_size=6))
        text = text[:start] + put_in + text[end:]
    return text


@st.composite
def generated(draw: st.DrawFn) -> str:
    """An experiment whose sections, or parts of them, hold anything."""
    plain: dict[str, Any] = {"model": {"layers": ["flatten", {"linear": "classes"}]}}
    for section in draw(st.lists(st.sampled_from(list(Experiment.model_fields)), max_size=3)):
        plain[section] = draw(structures)
    if draw(st.booleans()):
        layers = draw(st.lists(st.dictionaries(st.sampled_from(KINDS), structures, max_size=1)))
        plain["model"] = {"layers": [*layers, "flatten", {"linear": "classes"}]}
    if draw(st.booleans()):
        plain["model"] = (
            {**plain["model"], draw(words): draw(structures)}
            if isinstance(plain["model"], dict)
            else plain["model"]
        )
    plain.pop("plugins", None)  # which are run, as they are asked to be
    return dump(plain)


def read(text: str) -> FaultError | None:
    """Check a file's text, and lay its network out as `summary` does."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "fuzzed.yaml"
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        try:
            loaded = load(path)
            gather(loaded.plan, batch_size=1)
        except FaultError as error:
            for fault in error.faults:
                assert fault.place.startswith(str(path))
            return error
    return None


def assert_told(error: FaultError | None) -> None:
    if error is None:
        return
    assert error.exit_code in (ExitCode.USAGE, ExitCode.DATA, ExitCode.CHECKPOINT)
    assert len(str(error)) < MOST
    for fault in error.faults:
        assert fault.message
        assert fault.hint


@pytest.mark.long
@FUZZED
@given(damaged())
def test_a_damaged_experiment_is_read_or_refused(text: str) -> None:
    assert_told(read(text))


@pytest.mark.long
@FUZZED
@given(generated())
def test_anything_in_a_section_is_read_or_refused(text: str) -> None:
    assert_told(read(text))


@settings(FUZZED, max_examples=25)
@given(damaged() | generated())
def test_a_few_of_them_at_every_run(text: str) -> None:
    assert_told(read(text))


@pytest.mark.long
def test_whole_commands_end_in_words(
    cli: Callable[..., CompletedProcess[str]], tmp_path: Path
) -> None:
    texts: list[str] = []

    @settings(FUZZED, max_examples=6)
    @given(damaged() | generated())
    def collect(text: str) -> None:
        texts.append(text)

    collect()
    for number, text in enumerate(texts):
        path = tmp_path / f"{number}.yaml"
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        for command in ("check", "summary"):
            done = cli(command, str(path), PYTHONFAULTHANDLER="1")
            assert done.returncode in (0, 2, 3, 4), (text, done.stderr)
            assert "Traceback" not in done.stderr
            assert len(done.stderr) < MOST
