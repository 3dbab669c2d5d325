"""Seconds of ONNX Runtime beside eager PyTorch, for a batch of one, and of int8 beside float32.

    python benchmarks/onnx_runtime.py [SOURCE ...] [--data FOLDER] [--batch 1] [--int8]

Each source, which must not be of a table, is exported as `cnnctl export` does it, with `--raw`
where its data is not there; with `--int8` also quantized, which needs its data. The same inputs
go through eager PyTorch and the sessions in turn, one call each, preprocessing and probabilities
included, so that a noisy machine is noisy for all. The figures are medians, and the ratios those
of eager PyTorch to each. The exit code is 1 if ONNX Runtime in float32 is slower for any network.

One thread is the default: idle threads of one library wait in loops that slow the other one down.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from cnnctl.export.format import Wishes
from cnnctl.export.formats.onnx import Onnx
from cnnctl.export.onnx.quiet import onnx_runtime
from cnnctl.export.original import Original, open_original
from cnnctl.export.whole import example, whole

SOURCES = ("lenet5", "resnet20", "resnet18", "mobilenet_v2", "convnext_tiny")


def session_of(original: Original, wishes: Wishes, threads: int) -> Any:
    """The exported graph, ready to run."""
    runtime = onnx_runtime()
    [content] = Onnx().contents(original, wishes, Path("x.onnx")).values()
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    return runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def contenders(
    original: Original, batch: int, threads: int, *, int8: bool
) -> dict[str, Callable[[], object]]:
    """Calls that compute the same answers."""
    raw = original.preprocessing is None
    module, inputs = (
        whole(original, raw=raw),
        example(original, raw=raw)[:1].repeat_interleave(batch, 0),
    )
    calls: dict[str, Callable[[], object]] = {"eager": lambda: module(inputs)}
    for name, quantize in (("float32", ""), ("int8", "int8"))[: 1 + int8]:
        session = session_of(original, Wishes(raw=raw, quantize=quantize), threads)
        feed = {session.get_inputs()[0].name: inputs.numpy()}
        calls[name] = lambda session=session, feed=feed: session.run(None, feed)
    return calls


def measure(calls: dict[str, Callable[[], object]], seconds: float) -> dict[str, float]:
    """The median seconds of every call, made in turn."""
    found: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        for _ in range(3):
            call()
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(found["eager"]) < 5:
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            found[name].append(time.perf_counter() - start)
    return {name: statistics.median(times) for name, times in found.items()}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("sources", nargs="*", default=SOURCES, help="networks, configs or runs")
    parser.add_argument("--data", type=Path, help="dataset directory")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=10, help="for each network")
    parser.add_argument("--int8", action="store_true")
    given = parser.parse_args(arguments)
    torch.set_num_threads(given.threads)
    print(f"{'':24} {'eager':>9} {'float32':>9} {'ratio':>6}" + "      int8  ratio" * given.int8)
    is_slower = False
    for source in given.sources:
        original = open_original(Path(source), data_root=given.data)
        with torch.no_grad():
            calls = contenders(original, given.batch, given.threads, int8=given.int8)
            medians = measure(calls, given.seconds)
        eager, line = medians.pop("eager"), ""
        for seconds in medians.values():
            line += f" {seconds * 1e3:6.3f} ms {eager / seconds:6.2f}"
        print(f"{source:24} {eager * 1e3:6.3f} ms{line}", flush=True)
        is_slower |= medians["float32"] > eager
    return int(is_slower)


if __name__ == "__main__":
    sys.exit(main())
