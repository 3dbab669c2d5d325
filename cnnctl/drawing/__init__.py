"""Sheets of pictures as PNG: pictures of samples, captions, rows and columns."""
