"""What a network is: rows of facts, then a table."""

from cnnctl.inspection.facts import Row, Summary
from cnnctl.inspection.field_advice import advice_on_field
from cnnctl.inspection.gathering import gather
from cnnctl.inspection.graph import draw, to_mermaid
from cnnctl.inspection.memory import TrainingMemory, device_memory, training_memory
from cnnctl.inspection.tables import render, to_json, to_markdown
from cnnctl.inspection.torchsummary_style import torchsummary_text

__all__ = [
    "Row",
    "Summary",
    "TrainingMemory",
    "advice_on_field",
    "device_memory",
    "draw",
    "gather",
    "render",
    "to_json",
    "to_markdown",
    "to_mermaid",
    "torchsummary_text",
    "training_memory",
]
