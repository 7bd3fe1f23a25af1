"""What methods are made of: the feature map F, color codes, crops, pools, weights that set themselves."""

from toolkit.registry import import_parts

import_parts(__name__)
