"""A checkpoint and inputs -> answers."""
