"""Plain data -> YAML that `source.parse` reads back to the same data."""

from __future__ import annotations

from typing import Any

import yaml

from cnnctl.config.source import read_scalar


class _Dumper(yaml.SafeDumper):
    """PyYAML quotes what YAML 1.1 would misread; this also quotes what 1.2 would."""

    def ignore_aliases(self, data: Any) -> bool:
        """Write equal values out: an anchor helps no reader."""
        return True


def _text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    is_plain = len(text) < 100 and isinstance(read_scalar(text), str)
    style = None if is_plain else "'"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def dump(data: Any) -> str:
    """Write YAML: sections as blocks, the innermost mappings and lists on one line."""
    text: str = yaml.dump(
        data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100, default_flow_style=None
    )
    return text
