"""Training as plain PyTorch source: a script that trains as an experiment does."""
