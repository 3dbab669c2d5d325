"""Event files, which TensorBoard reads."""

from __future__ import annotations

import os
import time

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

from cnnctl.run_folder import RunFolder
from cnnctl.storage import storing


class EventFile:
    """A new event file in a run folder.

    torch's SummaryWriter writes from its own thread, where a full disk ends in a traceback.
    """

    def __init__(self, folder: RunFolder, *within: str) -> None:
        """Create it in the folder tensorboard, or in one `within`, which has steps of its own."""
        name = f"events.out.tfevents.{time.time_ns()}.{os.getpid()}"
        self.path = folder.own("tensorboard", *within, name)
        with storing(self.path):
            self.path.parent.mkdir(exist_ok=True, parents=True)
            self.file = self.path.open("xb")
        self.records = RecordWriter(self.file)
        self.write(Event(file_version="brain.Event:2"))

    def hide(self, *, start: int) -> None:
        """Hide the events from this step on that older files of the folder have."""
        status = SessionLog(status=SessionLog.START)
        self.write(Event(step=start, session_log=status))

    def add(self, values: list[Summary.Value], *, step: int) -> None:
        """Append values at a step."""
        self.write(Event(step=step, summary=Summary(value=values)))

    def write(self, event: Event) -> None:
        """Append one event, so that a reader sees it at once."""
        event.wall_time = time.time()
        with storing(self.path):
            self.records.write(event.SerializeToString())
            self.file.flush()

    def close(self) -> None:
        """Close the file."""
        with storing(self.path):
            self.file.close()
