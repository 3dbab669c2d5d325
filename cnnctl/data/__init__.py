"""A dataset -> batches on the device.

`dataset` says what a dataset is, and `sources` has one class for each. `preparation` reads one and
cuts it in three, `loader` makes batches of it, changed by `augmentations`.
"""
