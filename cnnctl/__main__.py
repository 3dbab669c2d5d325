"""The command `cnnctl`, and `python -m cnnctl`: sets up signal handling before anything else."""

import gc

from cnnctl import interruption

CREATED_BEFORE_SEARCH = (50_000, 20, 20)
"""Objects, and searches for young cycles, after which Python looks for cycles to free.

Importing torch creates many objects and hardly a cycle: with Python's own thresholds, looking
for them takes half a second until the first step of training.
"""


def main() -> None:
    """Run the command that was typed."""
    interruption.install()
    gc.set_threshold(*CREATED_BEFORE_SEARCH)
    try:
        from cnnctl.cli import main as run  # a tenth of a second, in which a signal may come

        run()
    finally:
        interruption.ignore()


if __name__ == "__main__":
    main()
