"""`python -m cnnctl`: the same as the command `cnnctl`."""

from cnnctl.cli import main

main()
