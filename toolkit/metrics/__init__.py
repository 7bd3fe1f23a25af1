"""Metrics, functional and as classes."""

from toolkit.registry import import_parts

import_parts(__name__)
