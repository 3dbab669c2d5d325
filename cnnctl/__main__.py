"""The command `cnnctl`, and `python -m cnnctl`: sets up signal handling before anything else."""

from cnnctl import interruption


def main() -> None:
    """Run the command that was typed."""
    interruption.install()
    try:
        from cnnctl.cli import main as run  # a tenth of a second, in which a signal may come

        run()
    finally:
        interruption.ignore()


if __name__ == "__main__":
    main()
