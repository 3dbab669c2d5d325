"""Distillation: learning from the answers of trained networks (Hinton et al. 2015)."""
