"""What a network is: rows of facts, then a table."""

from cnnctl.inspection.facts import Row, Summary, gather
from cnnctl.inspection.graph import draw, to_mermaid
from cnnctl.inspection.tables import render, to_json, to_markdown
from cnnctl.inspection.torchsummary_style import torchsummary_text

__all__ = [
    "Row",
    "Summary",
    "draw",
    "gather",
    "render",
    "to_json",
    "to_markdown",
    "to_mermaid",
    "torchsummary_text",
]
