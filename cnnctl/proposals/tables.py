"""Proposes experiments for tables."""

from __future__ import annotations

from pathlib import Path

from cnnctl.data.tables.reading import TAB_SUFFIXES
from cnnctl.proposals.proposer import Proposal, Proposer, Wishes, refuse_pretrained
from cnnctl.proposals.table_config import propose
from cnnctl.proposals.table_facts import gather
from cnnctl.proposals.table_report import render

SUFFIXES = (".csv", *TAB_SUFFIXES)


class Tables(Proposer):
    """A CSV or TSV file with a header."""

    takes = f"a table ({', '.join(SUFFIXES)})"

    @staticmethod
    def suits(source: Path) -> bool:
        return source.name.lower().endswith(SUFFIXES)

    def propose(self, source: Path, wishes: Wishes) -> Proposal:
        refuse_pretrained(wishes)
        facts = gather(source, target=wishes.target)
        return Proposal(render(facts), propose(facts, folder=wishes.folder))
