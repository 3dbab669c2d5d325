"""Train MLPs and CNNs described in YAML, with PyTorch."""

__version__ = "0.1.0"
