"""Trainable methods: networks, losses and a train_step, one file each."""

from toolkit.registry import import_parts

import_parts(__name__)
