"""Optimisers, distributed wrapping, exact checkpoints, loops, hooks and logging."""

from toolkit.registry import import_parts

import_parts(__name__)
