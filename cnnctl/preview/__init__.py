"""A sheet of what a network will see: samples before and after augmentation, and the schedule."""
