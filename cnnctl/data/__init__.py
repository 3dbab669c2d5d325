"""A data set -> batches on the device."""
