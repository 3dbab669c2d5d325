"""Shards: uncompressed .tar archives in the WebDataset layout, read in place."""
