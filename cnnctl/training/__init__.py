"""The recipe, the loop, callbacks and loggers."""
