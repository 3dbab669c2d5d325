"""Learning rate schedules.

A new scheduler is one class in one of these files.
"""

from cnnctl.optim.schedulers import cycles, decays
from cnnctl.optim.schedulers.planning import Plan, PlannedSteps
from cnnctl.optim.schedulers.plateau import Plateau, Progress
from cnnctl.optim.schedulers.schedule import Schedule
from cnnctl.optim.schedulers.scheduler import Position, Scheduler, Warmup

__all__ = [
    "Plan",
    "PlannedSteps",
    "Plateau",
    "Position",
    "Progress",
    "Schedule",
    "Scheduler",
    "Warmup",
    "cycles",
    "decays",
]
