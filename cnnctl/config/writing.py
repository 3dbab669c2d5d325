"""Plain data -> YAML that `source.parse` reads back to the same data."""

from __future__ import annotations

from io import StringIO
from typing import Any

import yaml

from cnnctl.config.scalars import read_scalar


class _Dumper(yaml.SafeDumper):
    """Quotes what YAML 1.1 would misread, as PyYAML does, and what YAML 1.2 would."""

    def ignore_aliases(self, data: Any) -> bool:
        """Write equal values twice, instead of with anchors, which are hard to read."""
        return True

    def represent_document(self, data: Any) -> yaml.Node:
        """Sections as blocks, and below them the innermost mappings and lists on one line."""
        root: yaml.Node = self.represent_data(data)
        if isinstance(root, yaml.MappingNode):
            for node in (root, *(value for _, value in root.value)):
                if isinstance(node, yaml.MappingNode):
                    node.flow_style = False
        return root


def _text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    # PyYAML's other styles change some line breaks; a long text might be a long number
    is_plain = len(text) < 100 and isinstance(read_scalar(text), str)
    style = (None if is_plain else "'") if text.isprintable() else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def dump(data: Any) -> str:
    """Write readable YAML."""
    stream = StringIO()
    dumper = _Dumper(
        stream, allow_unicode=True, width=100, default_flow_style=None, sort_keys=False
    )
    dumper.open()
    dumper.serialize(dumper.represent_document(data))
    dumper.close()
    return stream.getvalue()


def inline(data: Any) -> str:
    """Plain data as YAML on one line."""
    text: str = yaml.dump(
        data,
        Dumper=_Dumper,
        allow_unicode=True,
        width=float("inf"),
        default_flow_style=True,
        sort_keys=False,
    )
    return text.removesuffix("...\n").removesuffix("\n")
