"""Person segmentation, part labels and pose regions."""

from toolkit.registry import import_parts

import_parts(__name__)
