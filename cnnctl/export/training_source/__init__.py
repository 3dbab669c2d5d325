"""Training as plain PyTorch source: a script that trains as an experiment does."""

from cnnctl.export.training_source.script import training_source

__all__ = ["training_source"]
