"""Proposes experiments for tables."""

from __future__ import annotations

from pathlib import Path

from cnnctl.data.tables.reading import TABLE_SUFFIXES
from cnnctl.proposals.proposer import Proposal, Proposer, Wishes, refuse_pretrained
from cnnctl.proposals.table_config import propose
from cnnctl.proposals.table_facts import gather
from cnnctl.proposals.table_report import render


class Tables(Proposer):
    """A CSV, TSV or Parquet file."""

    takes = f"a table ({', '.join(TABLE_SUFFIXES)})"

    @staticmethod
    def suits(source: Path, wishes: Wishes) -> bool:
        return source.name.lower().endswith(TABLE_SUFFIXES)

    def propose(self, source: Path, wishes: Wishes) -> Proposal:
        refuse_pretrained(wishes)
        facts = gather(source, target=wishes.target)
        return Proposal(render(facts), propose(facts, folder=wishes.folder))
