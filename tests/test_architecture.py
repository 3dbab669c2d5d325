"""Who may import whom, and what nobody may do: read from the source, by its syntax."""

import ast
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import cnnctl

ROOT = Path(cnnctl.__file__).parent

# a part imports those in the rows above it, never its own row
ORDER = [
    {"escaping", "interruption", "process", "version"},
    {"errors", "console", "vocabulary"},
    {"paths", "extras", "contact"},
    {"storage", "world"},
    {"shipped", "rendezvous"},
    {"config", "layout", "sealing", "target"},
    {"metrics"},
    {"model", "data", "optim", "plugins", "device", "run_files", "snapshots"},
    {"experiment"},
    {"checkpoint"},
    {"run_folder", "run_lookup"},
    {"sources", "catalogue", "inspection", "drawing", "charts"},
    {"advice", "trained", "proposals"},
    {"prediction"},
    {"evaluation"},
    {"distillation"},
    {"training"},
    {"subject"},
    {"preview", "verification", "disturbance", "tracing", "plotting", "export"},
    {"diagnosis", "explanation", "benchmarking"},
    {"serving"},
    {"api"},
    {"sklearn"},
    {"program", "completion"},
    {"commands"},
    {"cli"},
    {"__main__"},
]
RANKS = {part: rank for rank, parts in enumerate(ORDER) for part in parts}

HEAVY = {
    "torch",
    "torchvision",
    "pydantic",
    "numpy",
    "sklearn",
    "yaml",
    "safetensors",
    "torchmetrics",
}


def name_of(path: Path) -> str:
    """`cnnctl/model/layer.py` as `cnnctl.model.layer`."""
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {name_of(path): path for path in sorted(ROOT.rglob("*.py"))}


@cache
def tree_of(module: str) -> ast.Module:
    return ast.parse(FILES[module].read_text(encoding="utf-8"))


def imported(tree: ast.AST) -> Iterator[str]:
    """Every module that is imported anywhere in a module; our own submodules by their full name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports name their module in full"
            for alias in node.names:
                submodule = f"{node.module}.{alias.name}"
                yield submodule if submodule in FILES else str(node.module)


def own(module: str) -> set[str]:
    return {name for name in imported(tree_of(module)) if name in FILES and name != "cnnctl"}


def called(tree: ast.AST) -> Iterator[str]:
    """Everything that is called by a plain or a dotted name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func)


def test_every_part_has_its_place() -> None:
    parts = {name.split(".")[1] for name in FILES if "." in name}
    assert parts == set(RANKS)


def is_downward(module: str, imported: str) -> bool:
    part, other = module.split(".")[1], imported.split(".")[1]
    return other == part or RANKS[other] < RANKS[part]


def test_imports_go_downward_only() -> None:
    assert own("cnnctl") == {
        "cnnctl.api",
        "cnnctl.errors",
        "cnnctl.process",
        "cnnctl.sklearn",
        "cnnctl.version",
    }  # but for process and version, imported once they are used
    pairs = [(module, name) for module in FILES if module != "cnnctl" for name in own(module)]
    assert len(pairs) > len(FILES)
    assert not [f"{pair[0]} imports {pair[1]}" for pair in pairs if not is_downward(*pair)]


def test_no_modules_import_each_other() -> None:
    packages = {name for name, path in FILES.items() if path.name == "__init__.py"}
    graph = {name: own(name) - {name} - packages for name in FILES}
    TopologicalSorter(graph).prepare()  # raises CycleError


def test_the_configuration_knows_no_torch() -> None:
    for module in FILES:
        if module.startswith(("cnnctl.config", "cnnctl.errors")):
            tops = {name.split(".")[0] for name in imported(tree_of(module))}
            assert not tops & {"torch", "torchvision", "numpy", "sklearn"}


def declares_kinds(module: str) -> bool:
    return any(
        isinstance(node, ast.ClassDef) and any(word.arg == "kind" for word in node.keywords)
        for node in ast.walk(tree_of(module))
    )


def loaded_with(module: str) -> set[str]:
    """The modules of ours that are imported with one, and with their packages."""
    reached, waiting = set[str](), [module]
    while waiting:
        name = waiting.pop()
        if name in FILES and name not in reached:
            reached.add(name)
            waiting += [*own(name), name.rpartition(".")[0]]
    return reached


def test_every_kind_is_declared_once_an_experiment_can_be_read() -> None:
    """A package imports its modules; a kind in one that it forgets would be no kind at all."""
    forgotten = set(filter(declares_kinds, FILES)) - loaded_with("cnnctl.experiment")
    assert not forgotten


RUNS_CODE = {
    *("eval", "exec", "compile", "__import__", "os.system"),
    *("torch.load", "torch.save", "numpy.load", "np.load", "torch.hub.load"),
    *("yaml.load", "yaml.load_all", "yaml.full_load", "yaml.unsafe_load", "yaml.safe_load"),
}
PICKLES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
IMPORTS_BY_NAME = {"import_module", "importlib.import_module", "spec_from_file_location"}
MAY_IMPORT_BY_NAME = {
    *("cnnctl.plugins", "cnnctl.cli"),
    *("cnnctl.export.formats.source", "cnnctl.export.training_source.whole"),
}
"""The files that a user names on purpose; the commands, which are our own modules; and the source
that has just been written, in a fresh process."""
MAY_CALL = {
    "cnnctl.model.weights_file": {"torch.load"},
    "cnnctl.export.formats.pth": {"torch.load", "torch.save"},
}
"""With weights_only, where torch reads tensors and nothing else."""
MAY_UNPICKLE = {"cnnctl.data.sources.cifar"}
"""CIFAR is published as pickles: checked by their hash, read by a reader of arrays alone."""


def running_code(module: str) -> set[str]:
    """What a module uses, and may not, that runs code which is read."""
    calls, names = set(called(tree_of(module))), set(imported(tree_of(module)))
    found = calls & RUNS_CODE - MAY_CALL.get(module, set())
    if module not in MAY_UNPICKLE:
        found |= names & PICKLES
    if module not in MAY_IMPORT_BY_NAME:
        found |= calls & IMPORTS_BY_NAME
    return found


def test_nothing_that_is_read_can_run_code() -> None:
    assert not {module: found for module in FILES if (found := running_code(module))}


FAULTS = {"Fault", "config_fault", "data_fault", "checkpoint_fault", "storage_fault", "refusal"}
CURED_BY_THE_CALLER = {"needing_company"}


def cures(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """The line of every fault that a module makes, and its hint as it is written, if any."""
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef) or function.name in CURED_BY_THE_CALLER:
            continue
        for node in ast.walk(function):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in FAULTS:
                hints = [word.value for word in node.keywords if word.arg == "hint"]
                yield node.lineno, ast.unparse(hints[0]) if hints else ""


def test_every_fault_has_a_cure() -> None:
    found = [(module, *cure) for module in FILES for cure in cures(tree_of(module))]
    assert len(found) > 200
    assert not [f"{module}:{line}" for module, line, hint in found if hint in ("", "''")]


NO_SUBJECTS = {"utils", "util", "common", "helpers", "misc"}
LONG = 300
"""Lines, from which on a file may well have two subjects; it is the subjects that split it."""


def test_a_file_has_one_subject() -> None:
    assert not {path.stem for path in FILES.values()} & NO_SUBJECTS
    for module, path in FILES.items():
        lines = len(path.read_text(encoding="utf-8").splitlines())
        if lines >= LONG:
            warnings.warn(f"{module} has {lines} lines; does it have two subjects?", stacklevel=1)


def loaded_by(*arguments: str, **environment: str) -> set[str]:
    """The packages that are in memory when the command has ended."""
    program = f"""
import atexit, sys
atexit.register(lambda: print("loaded", *sys.modules))
sys.argv = ["cnnctl", *{arguments}]
from cnnctl.cli import main
main()
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    last = done.stdout.splitlines()[-1].split()
    assert last[0] == "loaded", done.stderr
    return {name.split(".")[0] for name in last[1:]}


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], []])
def test_the_help_loads_nothing_heavy(arguments: list[str]) -> None:
    found = loaded_by(*arguments)
    assert "typer" in found
    assert not found & HEAVY


def test_completion_and_a_commands_help_load_nothing_heavy() -> None:
    asked = {"COMP_WORDS": "cnnctl tr", "COMP_CWORD": "1", "_TYPER_COMPLETE_ARGS": "cnnctl tr"}
    completion = loaded_by(_CNNCTL_COMPLETE="complete_bash", **asked)
    for found in (completion, loaded_by("train", "--help")):
        assert "typer" in found
        # newer typers read the options of a command with pydantic
        assert not found & (HEAVY - {"pydantic"})
