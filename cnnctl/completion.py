"""Candidates for shell completion, in a tenth of a second, without torch.

Candidates reach the shell unquoted, so names with characters that are special to a shell are
omitted. If there are no candidates, shells complete file names.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from cnnctl.errors import FaultError
from cnnctl.paths import is_file, is_folder
from cnnctl.shipped import CONFIGS, describe, experiments, is_shipped
from cnnctl.storage import contents
from cnnctl.vocabulary import FORMATS, YAML, families, options_beside, options_of, sections

Candidates = Iterable[str | tuple[str, str]]
"""Words, optionally with a line of help."""

_WORD = re.compile(r"(?:\.{1,2}/)*[\w/+@%,][\w./+@%,=-]*")
"""Names without special characters of any shell; no hidden files and no options."""


def family(incomplete: str) -> Candidates:
    """Families, sections, the shipped experiments and the formats of `export`, for `list`."""
    return _beginning([*families(), *sections(), CONFIGS, FORMATS], incomplete)


def kind(ctx: Any, incomplete: str) -> Candidates:
    """The kinds of the typed family, with their descriptions."""
    family = ctx.params.get("family") or ""
    if family == FORMATS:
        return export_format(incomplete)
    return _shipped(incomplete) if family == CONFIGS else _kinds(family, incomplete)


def _kinds(family: str, incomplete: str) -> list[tuple[str, str]]:
    kinds = families().get(family, {})
    return [(name, about) for name, about in kinds.items() if name.startswith(incomplete)]


def _shipped(incomplete: str) -> list[tuple[str, str]]:
    names = (name for name in experiments() if name.startswith(incomplete))
    return [(name, describe(name)["about"]) for name in names]


def name(incomplete: str) -> Candidates:
    """The networks of the zoo and the shipped experiments, with their descriptions."""
    return [*_kinds("zoo", incomplete), *_shipped(incomplete)]


def experiment(incomplete: str) -> Candidates:
    """A shipped experiment or a YAML file."""
    return _or_files(_shipped(incomplete), incomplete)


def _or_files(names: Candidates, incomplete: str) -> list[str | tuple[str, str]]:
    """Names and files; nothing without names, since shells then complete files themselves."""
    return [*names, *_beginning(_files(), incomplete)] if names else []


def run(ctx: Any, incomplete: str) -> Candidates:
    """The run folders in the directory of runs."""
    folder = Path(ctx.params.get("runs") or "runs")
    try:
        found = [str(path) for path in contents(folder) if is_file(path / "config.yaml")]
    except FaultError:
        return []
    return _beginning(found, incomplete)


def source(ctx: Any, incomplete: str) -> Candidates:
    """A network of the zoo, a shipped experiment, a YAML file or a run."""
    return [*_or_files(name(incomplete), incomplete), *run(ctx, incomplete)]


def device(incomplete: str) -> Candidates:
    """Device names; finding the available ones would import torch."""
    return _beginning(["auto", "cpu", "cuda"], incomplete)


def disturbance(incomplete: str) -> Candidates:
    """The disturbances; each is a file, since importing them would import torch."""
    files = contents(Path(__file__).parent / "disturbance" / "kinds")
    return _beginning([f"{path.stem}=0.." for path in files if _is_kind(path)], incomplete)


def export_format(incomplete: str) -> Candidates:
    """The formats of `export`; each is a file, since importing them would import torch."""
    files = contents(Path(__file__).parent / "export" / "formats")
    return _beginning([path.stem for path in files if _is_kind(path)], incomplete)


def _is_kind(path: Path) -> bool:
    return path.suffix == ".py" and path.stem != "__init__"


def columns(names: Iterable[str], incomplete: str) -> Candidates:
    """The next name of a comma-separated list."""
    before, comma, last = incomplete.rpartition(",")
    taken = before.split(",")
    free = [name for name in names if name not in taken and name.startswith(last)]
    return [f"{before}{comma}{name}" for name in free]


def override(ctx: Any, incomplete: str) -> Candidates:
    """`path=value` for the file on the command line; before that, experiments."""
    words = _typed(ctx)
    if not words and ctx.params.get("resume") is None and "." not in incomplete:
        return experiment(incomplete)
    return _assignment(_paths(words), words, incomplete)


def network_option(ctx: Any, incomplete: str) -> Candidates:
    """`option=value` for the network of the zoo on the command line."""
    words = _typed(ctx)
    chosen = next((word for word in words if word in families()["zoo"]), None)
    return _assignment(options_of("zoo", chosen), words, incomplete) if chosen else []


def _typed(ctx: Any) -> list[str]:
    """The arguments before the incomplete word, without the options."""
    names = [each.name for each in ctx.command.params if each.param_type_name == "argument"]
    values = [ctx.params.get(name) for name in names]
    lists = [value if isinstance(value, list) else [value] for value in values if value]
    return _joined(str(word) for words in lists for word in words)


def _joined(words: Iterable[str]) -> list[str]:
    """The words as typed: bash splits `optimizer.lr=0.1` into three."""
    joined: list[str] = []
    for word in words:
        if joined and (word == "=" or joined[-1].endswith("=")):
            joined[-1] += word
        else:
            joined.append(word)
    return joined


def _assignment(
    paths: Mapping[str, Sequence[str]], words: Sequence[str], incomplete: str
) -> Candidates:
    last = words[-1] if words else ""
    path = last.removesuffix("=")
    if path in paths and (last != path or not incomplete):  # in bash, after an equals sign
        return _beginning(paths[path], incomplete)
    name, equals, value = incomplete.partition("=")
    if equals:
        return [f"{name}={word}" for word in _beginning(paths.get(name, ()), value)]
    found = [path for path in paths if path.startswith(incomplete)]
    first = {path.partition(".")[0] for path in found}
    if len(first) > 1:
        return sorted(f"{top}." if _has_more(top, found) else f"{top}=" for top in first)
    if len(found) > 1:
        return [f"{path}=" for path in found]
    # with its values, since shells add a space after a single candidate
    return [f"{path}={value}" for path in found for value in ("", *_beginning(paths[path], ""))]


def _has_more(section: str, paths: Iterable[str]) -> bool:
    return any(path.startswith(f"{section}.") for path in paths)


def _paths(words: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The paths that can be overridden, and the known values of each.

    Options are those of the kinds that the file and earlier overrides choose; the file also
    provides list items.
    """
    written = _written(next(filter(None, map(_config, words)), None))
    given = dict(word.split("=", 1) for word in words if "=" in word[1:])
    chosen = {path.removesuffix(".name"): value for path, value in {**written, **given}.items()}
    found = options_beside(chosen)
    for path, value in written.items():
        found[path] = tuple(dict.fromkeys([*found.get(path, ()), value]))
    return {path: values for path, values in found.items() if _WORD.fullmatch(path)}


def _config(word: str) -> Path | None:
    """The experiment file that a word refers to."""
    if is_shipped(Path(word)):
        return experiments()[word]
    return Path(word) if Path(word).suffix in YAML else None


def _written(file: Path | None) -> dict[str, str]:
    """The scalars of a YAML file and its bases, by path."""
    from cnnctl.config.source import read_source

    if file is None or not is_file(file):
        return {}
    try:
        return dict(_leaves(read_source(file).plain(), ""))
    except FaultError:
        return {}


def _leaves(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, list):
        value = dict(enumerate(value))
    if isinstance(value, dict):
        for step, inner in value.items():
            yield from _leaves(inner, f"{path}.{step}" if path else str(step))
    elif value is not None:
        yield path, value if isinstance(value, str) else json.dumps(value)


def _files() -> Iterator[str]:
    """YAML files and folders."""
    try:
        there = contents(Path())
    except FaultError:
        return
    for path in there:
        if path.suffix in YAML and is_file(path):
            yield path.name
        elif is_folder(path):
            yield f"{path.name}/"


def _beginning(words: Iterable[str], incomplete: str) -> list[str]:
    """The words with this prefix that are safe in a shell."""
    return [word for word in words if word.startswith(incomplete) and _WORD.fullmatch(word)]
