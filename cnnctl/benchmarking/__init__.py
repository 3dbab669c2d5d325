"""The speed of a training: facts measured with its own parts, then a table and JSON."""

from cnnctl.benchmarking.facts import Benchmark
from cnnctl.benchmarking.gathering import Request, gather
from cnnctl.benchmarking.report import render, to_json

__all__ = ["Benchmark", "Request", "gather", "render", "to_json"]
