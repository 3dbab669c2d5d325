"""From YAML text to validated objects: places, overrides, families. Does not import torch."""
