"""Colour spaces and recolouring."""

from toolkit.registry import import_parts

import_parts(__name__)
