"""Proposes experiments for pictures in class folders."""

from __future__ import annotations

from pathlib import Path

from cnnctl.data.files import ARCHIVE_SUFFIXES
from cnnctl.errors import Fault, FaultError
from cnnctl.paths import is_folder
from cnnctl.proposals.document import Setting
from cnnctl.proposals.picture_config import propose
from cnnctl.proposals.picture_facts import gather
from cnnctl.proposals.picture_report import render
from cnnctl.proposals.proposer import Proposal, Proposer, Wishes
from cnnctl.proposals.settings import path_setting


class Pictures(Proposer):
    """A folder or an archive of pictures in class folders."""

    takes = f"a folder or an archive ({', '.join(ARCHIVE_SUFFIXES)}) of pictures in class folders"

    @staticmethod
    def suits(source: Path, wishes: Wishes) -> bool:
        return is_folder(source) or source.name.lower().endswith(ARCHIVE_SUFFIXES)

    def propose(self, source: Path, wishes: Wishes) -> Proposal:
        if wishes.target is not None:
            message = "--target names a column, and pictures in class folders have none"
            raise FaultError(Fault(message=message, hint="leave --target out"))
        facts = gather(source)
        opening = [
            Setting("data.name", "image_folder"),
            path_setting(source, folder=wishes.folder),
        ]
        return Proposal(render(facts), propose(facts, opening, pretrained=wishes.pretrained))
