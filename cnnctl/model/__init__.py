"""Architecture -> nn.Module. Importing this package declares every layer kind."""

from cnnctl.model import layers

__all__ = ["layers"]
