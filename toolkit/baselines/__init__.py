"""Plain baselines of the methods: models without parameters, which are tested like any other."""

from toolkit.registry import import_parts

import_parts(__name__)
