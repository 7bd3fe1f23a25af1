"""Warpers: source maps and two poses -> maps under the target pose."""

from toolkit.registry import import_parts

import_parts(__name__)
