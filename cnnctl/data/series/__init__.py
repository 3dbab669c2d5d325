"""Series in long tables, which have a row for each time step."""
