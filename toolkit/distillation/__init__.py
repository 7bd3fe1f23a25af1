"""A small and fast student of a trained generator: it learns what the teacher paints of poses that never run out."""

from toolkit.registry import import_parts

import_parts(__name__)
