"""One file per contender: the training of a task as its documentation writes it."""
