"""A table from a list of methods: each is trained with one budget and tested on the same frames, shared out over processes."""
