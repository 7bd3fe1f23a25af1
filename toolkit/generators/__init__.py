"""Generators: maps (and code, and previous frames) -> picture."""

from toolkit.registry import import_parts

import_parts(__name__)
