"""The names that can be typed: families, kinds and options, read from the source of their classes.

Shell completion and usage errors need them in a tenth of a second, in which neither torch nor
pydantic can be imported. Tests compare what is read here with the classes themselves.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parent
PARTS = ("data", "model", "optim", "experiment")
"""Modules that declare families and kinds."""
YAML = (".yaml", ".yml")
"""Suffixes of a configuration."""
FORMATS = "formats"
"""What `cnnctl list` calls the formats of `cnnctl export`."""
ROOT = "cnnctl.experiment.spec", "Experiment"

Reference = tuple[str, str]
"""A class and its module."""


@dataclass(frozen=True, slots=True)
class Source:
    """The source of a module: its classes, and the origin of its other names."""

    name: str
    classes: dict[str, ast.ClassDef]
    aliases: dict[str, ast.expr]
    imports: dict[str, str]


@cache
def families() -> dict[str, dict[str, str]]:
    """The kinds of every family, with the first line of their docstrings."""
    found: dict[str, dict[str, str]] = {}
    for reference, declared in _declared():
        if family := _keyword(declared, "family"):
            found.setdefault(family, {})
        elif kind := _keyword(declared, "kind"):
            family = _family_of(reference)
            found.setdefault(family, {})[kind] = (ast.get_docstring(declared) or "").split("\n")[0]
    return found


@cache
def options() -> dict[str, tuple[str, ...]]:
    """Every path of an experiment that an override can set, with the names it accepts, if any.

    `optimizer.name` accepts the kinds of its family, `train.compile` true, false and measure; list
    items have no paths.
    """
    return options_beside({})


def options_beside(chosen: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """The paths for chosen kinds: `{"optimizer": "adam"}` excludes momentum."""
    return dict(_options(ROOT, "", chosen))


def options_of(family: str, kind: str) -> dict[str, tuple[str, ...]]:
    """The options of a kind, with the names that each accepts."""
    return {
        name: found
        for reference, declared in _declared()
        if _keyword(declared, "kind") == kind and _family_of(reference) == family
        for name, found in _options(reference, "", {})
    }


@cache
def sections() -> tuple[str, ...]:
    """The sections of an experiment without kinds, and `experiment` itself."""
    return tuple(dict.fromkeys(["experiment", *_sections(ROOT, {ROOT})]))


def _sections(owner: Reference, seen: set[Reference]) -> Iterator[str]:
    for name, (module, annotation) in _fields(owner).items():
        for reference in _specs(module, annotation):
            if reference in seen:
                continue
            seen.add(reference)
            if not _family_of(reference):
                yield name
            for member in _members(reference):
                yield from _sections(member, seen)


def paths_of(option: str) -> list[str]:
    """The paths whose last step is this name: `optimizer.lr` for `lr`."""
    wanted = option.replace("-", "_")
    found = [path for path in options() if path.rpartition(".")[2] == wanted]
    return sorted(found, key=lambda path: path.count("."))


def _options(
    owner: Reference, prefix: str, chosen: Mapping[str, str], around: tuple[Reference, ...] = ()
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The paths of a section with their words; not those of a family within itself, `around`."""
    for name, (module, annotation) in _fields(owner).items():
        path, is_list = f"{prefix}{name}", _is_list(annotation)
        below = [] if is_list else list(_specs(module, annotation))
        kinds = tuple(kind for part in below for kind in _kinds_of(part))
        yield path, kinds or (() if is_list else tuple(dict.fromkeys(_words(module, annotation))))
        if kinds:
            yield f"{path}.name", kinds
        for reference in below:
            if reference not in around:
                for member in _members(reference, chosen.get(path)):
                    yield from _options(member, f"{path}.", chosen, (*around, reference))


def _kinds_of(reference: Reference) -> Iterable[str]:
    family = _keyword(_class(reference), "family")
    return families()[family] if family else ()


def _members(reference: Reference, chosen: str | None = None) -> list[Reference]:
    """A section itself; for a family, its kinds or the chosen one."""
    family = _keyword(_class(reference), "family")
    if not family:
        return [reference]
    members = {
        _keyword(declared, "kind"): member
        for member, declared in _declared()
        if _keyword(declared, "kind") and _family_of(member) == family
    }
    return [members[chosen]] if chosen in members else list(members.values())


@cache
def _source(module: str) -> Source | None:
    """A module of cnnctl, parsed; None for other modules."""
    path = PACKAGE.parent.joinpath(*module.split("."))
    files = (file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file())
    file = next(files, None) if module.startswith(f"{PACKAGE.name}.") else None
    return _read(module, file) if file else None


def _read(module: str, file: Path) -> Source:
    body = [*map(_as_class, ast.parse(file.read_text(encoding="utf-8")).body)]
    return Source(
        module,
        {node.name: node for node in body if isinstance(node, ast.ClassDef)},
        {
            node.targets[0].id: node.value
            for node in body
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
        },
        {
            alias.asname or alias.name: node.module or ""
            for node in body
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        },
    )


def _as_class(node: ast.stmt) -> ast.stmt:
    """The class that `Base.variant("kind", "Docstring.", …)` creates."""
    match node:
        case ast.Expr(
            ast.Call(ast.Attribute(base, "variant"), [ast.Constant(str(kind)) as name, text])
        ):
            return ast.ClassDef(
                name=kind,
                bases=[base],
                keywords=[ast.keyword("kind", name)],
                body=[ast.Expr(text)],
                decorator_list=[],
            )
    return node


@cache
def _declared() -> tuple[tuple[Reference, ast.ClassDef], ...]:
    """Every class of a module that declares a family or a kind."""
    return tuple(
        ((source.name, name), declared)
        for module in _modules()
        if (source := _source(module))
        for name, declared in source.classes.items()
    )


def _modules() -> Iterator[str]:
    """The modules that declare families or kinds; others are parsed on demand."""
    for part in PARTS:
        for file in sorted((PACKAGE / part).rglob("*.py")):
            text = file.read_text(encoding="utf-8")
            if any(sign in text for sign in ('kind="', 'family="', '.variant("')):
                module = ".".join(file.relative_to(PACKAGE.parent).with_suffix("").parts)
                yield module.removesuffix(".__init__")


def _class(reference: Reference) -> ast.ClassDef:
    source = _source(reference[0])
    assert source is not None  # a reference is made where it was found
    return source.classes[reference[1]]


def _keyword(declared: ast.ClassDef, name: str) -> str:
    """An argument of a class, such as `kind="conv"`; empty if there is none."""
    values = [word.value for word in declared.keywords if word.arg == name]
    return str(values[0].value) if values and isinstance(values[0], ast.Constant) else ""


@cache
def _family_of(reference: Reference) -> str:
    declared = _class(reference)
    if family := _keyword(declared, "family"):
        return family
    return next(filter(None, map(_family_of, _bases(reference))), "")


def _bases(reference: Reference) -> list[Reference]:
    names = (base.id for base in _class(reference).bases if isinstance(base, ast.Name))
    return list(filter(None, (_resolve(reference[0], name) for name in names)))


def _resolve(module: str, name: str) -> Reference | None:
    """The declaration of a class that a module refers to by this name; None if it is not ours."""
    source = _source(module)
    if source is None:
        return None
    if name in source.classes:
        return module, name
    return _resolve(source.imports[name], name) if name in source.imports else None


@cache
def _is_spec(reference: Reference) -> bool:
    return reference[1] == "Spec" or any(map(_is_spec, _bases(reference)))


def _fields(reference: Reference) -> dict[str, tuple[str, ast.expr]]:
    """The options of a class, inherited ones first, each with its module and type."""
    found: dict[str, tuple[str, ast.expr]] = {}
    for base in reversed(_bases(reference)):
        found |= _fields(base)
    for node in _class(reference).body:
        match node:
            case ast.AnnAssign(target=ast.Name(id=name)) if _is_option(node, name):
                found[name] = reference[0], node.annotation
    return found


def _is_option(field: ast.AnnAssign, name: str) -> bool:
    return not name.startswith("_") and not ast.unparse(field.annotation).startswith("ClassVar")


def _specs(module: str, annotation: ast.expr) -> Iterator[Reference]:
    """The specs in a type, resolving the aliases of its module."""
    for node in ast.walk(annotation):
        if not isinstance(node, ast.Name):
            continue
        reference = _resolve(module, node.id)
        if reference is not None and _is_spec(reference):
            yield reference
        if alias := _alias(module, node.id):
            yield from _specs(*alias)


def _words(module: str, annotation: ast.expr) -> Iterator[str]:
    """The words that a type accepts: those of a Literal, true and false."""
    match annotation:
        case ast.Subscript(value=ast.Name(id="Literal"), slice=choice):
            parts = choice.elts if isinstance(choice, ast.Tuple) else [choice]
            yield from (str(part.value) for part in parts if isinstance(part, ast.Constant))
        case ast.Subscript(value=ast.Name(id="Annotated"), slice=ast.Tuple(elts=[inner, *_])):
            yield from _words(module, inner)
        case ast.BinOp(left=left, right=right):
            yield from (*_words(module, left), *_words(module, right))
        case ast.Name(id="bool"):
            yield from ("true", "false")
        case ast.Name(id=name) if alias := _alias(module, name):
            yield from _words(*alias)


def _alias(module: str, name: str) -> tuple[str, ast.expr] | None:
    """The value of an alias, and its module."""
    source = _source(module)
    if source is None:
        return None
    if name in source.aliases:
        return module, source.aliases[name]
    return _alias(source.imports[name], name) if name in source.imports else None


def _is_list(annotation: ast.expr) -> bool:
    """Whether a type is a list or a mapping, whose items have no names of their own."""
    outer = annotation
    while isinstance(outer, ast.Subscript) and ast.unparse(outer.value) == "Annotated":
        outer = outer.slice.elts[0] if isinstance(outer.slice, ast.Tuple) else outer.slice
    return isinstance(outer, ast.Subscript) and ast.unparse(outer.value) in ("list", "Mapping")
