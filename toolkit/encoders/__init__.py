"""Encoders: picture -> latent code."""

from toolkit.registry import import_parts

import_parts(__name__)
