"""What moves the weights: optimizers, schedulers, losses, regularizers."""
