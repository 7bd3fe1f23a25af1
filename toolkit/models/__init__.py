"""Trainable methods: networks, losses and a train_step, one file each.

``MODELS``: a :class:`toolkit.models.base.VideoModel` with networks as direct children. ``train_step(data, optim_wrapper)`` gets a
collated batch of the data set and returns detached scalars for the log. ``test_step(data)`` gets one clip with a batch axis of 1 and
returns a list with its result, see :meth:`toolkit.models.base.VideoModel.clip_result`. ``offers`` says what its losses can be given.
"""

from toolkit.registry import import_parts

import_parts(__name__)
