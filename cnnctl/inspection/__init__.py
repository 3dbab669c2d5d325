"""The structure of a network: rows of facts, then a table, comparison or drawing."""

from cnnctl.inspection.comparison import (
    comparison_to_json,
    comparison_to_markdown,
    render_comparison,
)
from cnnctl.inspection.facts import Row, Summary
from cnnctl.inspection.field_advice import advice_on_field, last_convolution
from cnnctl.inspection.graph import draw
from cnnctl.inspection.memory import TrainingMemory, device_memory, training_memory
from cnnctl.inspection.rows import gather
from cnnctl.inspection.tables import Report, render, to_json, to_markdown
from cnnctl.inspection.torchsummary_style import torchsummary_text

__all__ = [
    "Report",
    "Row",
    "Summary",
    "TrainingMemory",
    "advice_on_field",
    "comparison_to_json",
    "comparison_to_markdown",
    "device_memory",
    "draw",
    "gather",
    "last_convolution",
    "render",
    "render_comparison",
    "to_json",
    "to_markdown",
    "torchsummary_text",
    "training_memory",
]
