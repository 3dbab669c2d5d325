"""Proposes experiments for tables."""

from __future__ import annotations

from pathlib import Path

from cnnctl.data.tables.files import TABLE_SUFFIXES, is_table
from cnnctl.proposals.proposer import Proposal, Proposer, Wishes, refuse_pretrained
from cnnctl.proposals.table_config import propose
from cnnctl.proposals.table_facts import gather
from cnnctl.proposals.table_report import render


class Tables(Proposer):
    """A CSV, TSV or Parquet file."""

    takes = f"a table ({', '.join(TABLE_SUFFIXES)}), or an archive that holds one"

    @staticmethod
    def suits(source: Path, wishes: Wishes) -> bool:
        return is_table(source)

    def propose(self, source: Path, wishes: Wishes) -> Proposal:
        refuse_pretrained(wishes)
        facts = gather(source, target=wishes.target)
        return Proposal(render(facts), propose(facts, folder=wishes.folder))
