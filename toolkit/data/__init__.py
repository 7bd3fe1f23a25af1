"""Video in and out, prepared clips, synthetic actions, datasets."""

from toolkit.registry import import_parts

import_parts(__name__)
