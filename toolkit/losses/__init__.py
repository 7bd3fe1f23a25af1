"""Losses, one file each."""

from toolkit.registry import import_parts

import_parts(__name__)
