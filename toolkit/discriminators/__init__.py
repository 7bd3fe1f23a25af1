"""Discriminators: pictures with conditions -> scores and features."""

from toolkit.registry import import_parts

import_parts(__name__)
