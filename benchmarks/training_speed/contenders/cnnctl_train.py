"""`cnnctl train`, within this process; what it chooses by itself is left to it."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from benchmarks.training_speed.task import LR, MOMENTUM, Task, Watch

EXPERIMENT = """\
data: {{name: arrays, path: {path}, batch_size: {batch_size}, validation: 0}}
model:
{model}
optimizer: {{name: sgd, lr: {lr}, momentum: {momentum}}}
train: {{epochs: {epochs}}}
"""


def train(task: Task, watch: Watch) -> None:
    from cnnctl.__main__ import main
    from cnnctl.process import set_library_options

    set_library_options()  # before torch is imported
    from torch.optim.optimizer import register_optimizer_step_post_hook

    from benchmarks.training_speed.networks import NETWORKS

    def note(*_: object) -> None:
        watch.step()
        hook.remove()

    hook = register_optimizer_step_post_hook(note)
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "x.yaml"
        config.write_text(
            EXPERIMENT.format(
                path=task.file, batch_size=task.batch_size, model=NETWORKS[task.model].model,
                lr=LR, momentum=MOMENTUM, epochs=task.epochs,
            )
        )  # fmt: skip
        sys.argv = ["cnnctl", "train", str(config), *task.options, "--runs", folder]
        try:
            main()
        except SystemExit as ended:
            if ended.code:
                raise
        lines = (Path(folder) / "x" / "metrics.jsonl").read_text().splitlines()
    watch.speeds += [json.loads(line)["samples_per_second"] for line in lines]
