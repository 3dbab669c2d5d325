"""Charts of lines and points: in the terminal, and as .png or .svg files."""

from cnnctl.charts.chart import Chart, Mark, Series
from cnnctl.charts.files import check_output, write
from cnnctl.charts.terminal import TerminalChart

__all__ = ["Chart", "Mark", "Series", "TerminalChart", "check_output", "write"]
