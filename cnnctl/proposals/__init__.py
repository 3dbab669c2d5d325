"""Looks at data that a user brings along, and proposes an experiment for it.

A kind of source is a `Proposer`: a class in a file of its own, and its entry in PROPOSERS, of which
the first that suits is taken.
"""

from __future__ import annotations

from pathlib import Path

from cnnctl.errors import Fault, FaultError
from cnnctl.proposals.arrays import Arrays
from cnnctl.proposals.long_tables import LongTables
from cnnctl.proposals.picture_tables import PictureTables
from cnnctl.proposals.pictures import Pictures
from cnnctl.proposals.proposer import Proposal, Proposer, Wishes
from cnnctl.proposals.tables import Tables

__all__ = ["Proposal", "Proposer", "Wishes", "proposer_for"]

PROPOSERS: tuple[type[Proposer], ...] = (
    PictureTables,
    LongTables,
    Tables,
    Arrays,
    Pictures,
)


def proposer_for(source: Path, wishes: Wishes) -> Proposer:
    """The proposer for a source that is there.

    Raises:
        FaultError: no kind of source is like this.
    """
    for proposer in PROPOSERS:
        if proposer.suits(source, wishes):
            return proposer()
    known = "; ".join(proposer.takes for proposer in PROPOSERS)
    message = f"{source.suffix or 'such'} files are not supported yet"
    hint = f"give {known}; docs/plugins.md shows how to add a dataset"
    raise FaultError(Fault(message=message, hint=hint, place=str(source)))
