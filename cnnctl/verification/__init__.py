"""What training will meet: the data as it is, one step, and what the machine has.

Facts are gathered once (`gathering`); every check is a class in a file of `checks`, which judges
them; `report` shows the findings.
"""

from cnnctl.verification.checks import judged
from cnnctl.verification.finding import Finding, Verdict
from cnnctl.verification.gathering import gather
from cnnctl.verification.report import render, to_json

__all__ = ["Finding", "Verdict", "gather", "judged", "render", "to_json"]
