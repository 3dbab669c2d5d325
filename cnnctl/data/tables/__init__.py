"""Tables: reading a file, the kinds of columns, and features from cells."""
