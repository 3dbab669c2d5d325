"""Speed and memory of training: cnnctl beside loops by hand and other libraries."""
