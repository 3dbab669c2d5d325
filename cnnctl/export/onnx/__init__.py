"""ONNX: a network as a graph, raw columns as its inputs, and its numbers as 8-bit integers."""
