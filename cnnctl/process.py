"""What is set for a process before it imports torch."""

import os


def set_library_options() -> None:
    """Set options of libraries, unless the environment has them; read when these start."""
    # How often an idle OpenMP thread polls for work before it sleeps; read when torch is imported.
    # GNU's default, ten times as often, trains five times slower next to other busy programs.
    os.environ.setdefault("GOMP_SPINCOUNT", "30000")
    # else a product's last bits depend on where its rows lie in memory; it takes no longer
    os.environ.setdefault("MKL_CBWR", "AUTO,STRICT")
    # else the profiler writes to stderr when it starts and stops, and an error on a CPU
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")
    # huge pages for large tensors, where available; read when the first tensor is allocated
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
