"""Exports: a network as a file that runs without this program; one class per format."""
