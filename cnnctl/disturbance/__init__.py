"""The quality of trained networks on inputs that are disturbed more and more."""
