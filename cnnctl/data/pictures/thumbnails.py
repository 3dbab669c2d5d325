"""The sizes of the thumbnails that pictures are compared by; see `similarity`."""

ROWS, COLUMNS = 8, 9
"""Of the grey thumbnail that is hashed; a bit for each pixel but the last of a row."""
SIDE = 16
"""Of the colour thumbnails that are compared."""
