"""Edge detectors: frames -> edge maps."""

from toolkit.registry import import_parts

import_parts(__name__)
