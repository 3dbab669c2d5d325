"""A page of Python: imports, definitions and classes, in the order in which they are used."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence

from cnnctl.export.source.definitions import DENSE, NAMED, NUMBERED, NUMBERED_PLAINLY
from cnnctl.export.source.network import NetworkClass

_IMPORTS = {
    "from collections import OrderedDict": "OrderedDict",
    "from collections.abc import Callable": "Callable",
    "from collections.abc import Iterable": "Iterable",
    "from collections.abc import Sequence": "Sequence",
    "import torch": "torch",
    "import torch.nn.functional as F": "F",
    "from torch import Tensor, nn": "nn",
    "from torchvision import models": "models",
    "from torchvision.ops import StochasticDepth": "StochasticDepth",
}
"""Imports, in ruff's order, and the names that need them."""
_STANDARD = ("from collections",)


def definitions_of(network: NetworkClass) -> list[str]:
    """The source of each helper and class, without the imports.

    Raises:
        FaultError: the module of a plugin cannot be copied.
    """
    own = ["\n".join(each.lines()) + "\n" for each in network.definitions]
    own.append("\n".join(network.lines) + "\n")
    text = "\n".join(own)
    found: list[str] = []
    for name, module in network.modules.items():
        if re.search(rf"\b{name}\(", text):
            found.append(module.source())
    if "DenseBlock(" in text:
        found.append(DENSE)
    if re.search(r"\b(named|numbered)\(", text):
        found.append(NAMED)
    if re.search(r"\bnumbered\(", text):
        is_prefixed = re.search(r'^ *"\w+",?$|\), "\w+"\)', text, flags=re.MULTILINE)
        found.append(NUMBERED if is_prefixed else NUMBERED_PLAINLY)
    return [*found, *own]


def imports_of(text: str) -> list[str]:
    """The imports that a text needs, sorted as ruff sorts them."""
    used = {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}
    needed = [line for line, name in _IMPORTS.items() if name in used]
    standard = [line for line in needed if line.startswith(_STANDARD)]
    return [*standard, *([""] if standard else []), *(n for n in needed if n not in standard)]


def page_of(about: str, parts: Sequence[str]) -> str:
    """A whole file: docstring, imports, and the parts with two empty lines between them."""
    parts = list(filter(None, parts))
    constants = [part for part in parts if _is_constant(part)]
    body = "\n\n".join(part for part in parts if part not in constants)
    first = ["".join(constants)] if constants else []
    head = "\n".join((f'"""{about}"""', "", *imports_of(body))) + "\n"
    return head + ("\n" if first else "\n\n") + "\n\n".join([*first, body])


def _is_constant(part: str) -> bool:
    return not part.startswith(("class ", "def "))
