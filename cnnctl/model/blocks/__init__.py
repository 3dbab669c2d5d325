"""The blocks: layer kinds that contain layers. A new block is one class in one of these files."""

from cnnctl.model.blocks import branches, chains, residual

__all__ = ["branches", "chains", "residual"]
