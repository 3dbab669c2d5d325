"""Optimizers, schedulers, losses and regularizers."""
