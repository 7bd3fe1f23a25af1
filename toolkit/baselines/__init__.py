"""Plain baselines of the methods: models without parameters, which are tested like any other."""

import toolkit.models  # noqa: F401  some methods are baselines, and import this package: their base class comes first
from toolkit.registry import import_parts

import_parts(__name__)
