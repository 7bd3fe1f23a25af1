"""Data sets: prepared clips as windows of frames, alone and in pairs, and the transforms of their samples.

``DATASETS``: a ``torch.utils.data.Dataset`` with a length, of any kind. An item is a dict of tensors, numbers and texts, which are
stacked to mini-batches. What methods read, and in which shapes, stands in :class:`toolkit.datasets.windows.ClipWindows`; uint8 maps
mean 0..1 as 0..255. :func:`toolkit.datasets.tensors.item_tensors` makes such an item of arrays. A data set whose items are drawn anew
each epoch sets ``takes_draw = True`` and is asked for ``(index, draw)``; it draws from a generator seeded by its ``seed``, the draw and
the index.

``TRANSFORMS``: called with (sample, rng), it returns the changed sample, a dict of arrays, see :mod:`toolkit.datasets.transforms`.
``rng`` is a ``numpy.random.Generator``, the only source of randomness.
"""

from toolkit.registry import import_parts

import_parts(__name__)
