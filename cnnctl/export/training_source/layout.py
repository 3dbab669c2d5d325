"""Lays out Python code as ruff does: lines that are too long are broken at their brackets."""

from __future__ import annotations

import ast
import keyword
import re
import sys
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from itertools import pairwise
from typing import Any

WIDTH = 88
"""Columns of a line, by default, of ruff and black."""
_CONSTANTS_APART = re.compile(r"^(\w+ = .*)\n{2,}(?=\w+ = )", flags=re.MULTILINE)
_COMPREHENSION = re.compile(r" (?=for |if )")
BRACKETS = {"(": ")", "[": "]", "{": "}"}
_TOKENS = re.compile(r'[rbf]?"(?:\\.|[^"\\])*"|[()\[\]{},]')


class Code(str):
    """Code, where a value could stand."""

    __slots__ = ()


def call(function: str, *arguments: str, **options: Any) -> str:
    """A call as code, of arguments that are code and options that are values."""
    named = (f"{name}={literal(value)}" for name, value in options.items())
    return f"{function}({', '.join([*arguments, *named])})"


def literal(value: Any) -> str:
    """A value as code: numbers, texts, None, and lists, tuples and mappings of them."""
    if isinstance(value, Code):
        return value
    if isinstance(value, str):
        text = repr(value)
        return text if '"' in value else f'"{text[1:-1]}"'
    if isinstance(value, list):
        return f"[{', '.join(map(literal, value))}]"
    if isinstance(value, tuple):
        return f"({', '.join(map(literal, value))}{',' * (len(value) == 1)})"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{literal(k)}: {literal(v)}' for k, v in value.items())}}}"
    return repr(value)


def variable(name: str) -> str:
    """A name as that of a variable."""
    plain = re.sub(r"[^0-9A-Za-z]", "_", name)
    return f"_{plain}" if keyword.iskeyword(plain) or not plain.isidentifier() else plain


def assembled(parts: Iterable[str]) -> str:
    """One module of parts that are modules of their own: their imports are merged and sorted."""
    imports, bodies = list[ast.stmt](), list[str]()
    for part in parts:
        found, body = _without_imports(part)
        imports += found
        bodies.append(body.strip("\n"))
    first, *rest = filter(None, bodies)
    names = ast.walk(ast.parse("\n".join(bodies)))
    used = {node.id for node in names if isinstance(node, ast.Name)}
    head = "\n\n".join([merged(imports, used=used), first])
    text = re.sub(r"\n{4,}", "\n\n\n", "\n\n\n".join([head, *rest]))
    return laid_out(_CONSTANTS_APART.sub(r"\1\n", text)) + "\n"


def _without_imports(code: str) -> tuple[list[ast.stmt], str]:
    """The imports of a module, and the rest of it without its docstring."""
    lines, found = code.split("\n"), list[ast.stmt]()
    tree = ast.parse(code)
    left_out = [tree.body[0]] if ast.get_docstring(tree) else []
    for node in reversed(tree.body):
        if isinstance(node, ast.Import | ast.ImportFrom):
            found.append(node)
        if node in [*found[-1:], *left_out]:
            del lines[node.lineno - 1 : node.end_lineno]
    return found, "\n".join(lines)


def merged(imports: Iterable[ast.stmt], *, used: Collection[str]) -> str:
    """Those of these imports that are used, in the order of isort: Python's modules come first."""
    plain, names = set[str](), defaultdict[str, set[str]](set)
    for node in imports:
        assert isinstance(node, ast.Import | ast.ImportFrom)
        needed = {
            ast.unparse(alias)
            for alias in node.names
            if (alias.asname or alias.name).split(".")[0] in used
        }
        if isinstance(node, ast.Import):
            plain |= needed
        elif needed:
            names[str(node.module)] |= needed
    lines = [(name, f"import {name}") for name in sorted(plain)]
    lines += [
        (module, f"from {module} import {', '.join(sorted(names[module], key=_kind_of_name))}")
        for module in sorted(names)
    ]
    own = [line for name, line in lines if name.split(".")[0] in sys.stdlib_module_names]
    others = [line for name, line in lines if name.split(".")[0] not in sys.stdlib_module_names]
    return "\n\n".join("\n".join(block) for block in (own, others) if block)


def _kind_of_name(name: str) -> tuple[int, str]:
    """isort puts constants before classes and those before all else."""
    rank = 0 if name.isupper() and len(name) > 1 else 1 if name[:1].isupper() else 2
    return rank, name


def laid_out(code: str) -> str:
    """The same code, with lines that are too long broken at their brackets."""
    return "\n".join(line for given in code.split("\n") for line in _broken(given))


def _broken(line: str) -> Iterator[str]:
    """The lines that a line is broken into; it alone if it is short, or has nothing to break."""
    bracket = _bracket(line) if len(line) > WIDTH else None
    if bracket is None:
        yield line
        return
    start, end = bracket
    indent = " " * (len(line) - len(line.lstrip()) + 4)
    yield line[: start + 1]
    inside = line[start + 1 : end]
    if len(indent + inside) <= WIDTH:
        yield indent + inside
    else:
        comma = "" if _COMPREHENSION.search(_at_the_top(inside)) else ","
        for item in _items(inside):
            yield from _broken(f"{indent}{item}{comma}")
    yield indent[4:] + line[end:]


def _bracket(line: str) -> tuple[int, int] | None:
    """Where the brackets open and close that a line is broken at: of a function its first, else
    its last ones at the top that have something in them."""
    found, depth, start = list[tuple[int, int]](), 0, 0
    for token in _TOKENS.finditer(line):
        if token[0] in BRACKETS:
            start = start if depth else token.start()
            depth += 1
        elif token[0] in BRACKETS.values():
            depth -= 1
            if not depth and token.start() > start + 1:
                found.append((start, token.start()))
    if not found or line.lstrip().startswith(("#", '"""')):
        return None
    return found[0 if line.lstrip().startswith("def ") else -1]


def _items(inside: str) -> list[str]:
    """What is between the commas at the top, or the parts of a comprehension."""
    top = _at_the_top(inside)
    if _COMPREHENSION.search(top):
        cuts = [0, *(match.start() + 1 for match in _COMPREHENSION.finditer(top)), len(top)]
    else:
        cuts = [0, *(at + 1 for at, letter in enumerate(top) if letter == ","), len(top)]
    return [inside[start:end].strip(" ,") for start, end in pairwise(cuts)]


def _at_the_top(code: str) -> str:
    """The same code, with blanks for all that is in brackets or is text."""
    top, depth, start = list(code), 0, 0
    for token in _TOKENS.finditer(code):
        start = start if depth else token.start()
        depth += (token[0] in BRACKETS) - (token[0] in BRACKETS.values())
        if not depth and token[0] != ",":
            top[start : token.end()] = "_" * (token.end() - start)
    return "".join(top)
