"""Why a network learns badly, or would.

Facts are gathered once (`gathering`): what the network shows on its data, in a few steps, in a
trial on a few samples, and in the epochs of its run. Every check is a class in a file of `checks`,
which judges them; `report` shows the findings.
"""

from cnnctl.diagnosis.checks import judged
from cnnctl.diagnosis.gathering import gather, open_case
from cnnctl.diagnosis.report import render, to_json

__all__ = ["gather", "judged", "open_case", "render", "to_json"]
