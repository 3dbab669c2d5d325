"""Plots of runs and of what networks have learned."""
