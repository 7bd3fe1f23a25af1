"""Optimizers, distributed wrapping, exact checkpoints, loops, hooks and logging.

``HOOKS``, ``LOOPS``, ``VISUALIZERS``, ``VISBACKENDS``, ``MODEL_WRAPPERS``, ``OPTIMIZERS``, ``OPTIM_WRAPPERS``,
``OPTIM_WRAPPER_CONSTRUCTORS``, ``PARAM_SCHEDULERS``: as in MMEngine. Work of a hook between two iterations belongs into
``after_iteration(runner)``.

``DATA_SAMPLERS``: built with ``dataset`` and ``seed``, an iterator of indices. For training it is endless, and yields ``(index, draw)``
for data sets that take a draw, as :class:`toolkit.engine.sampler.DrawSampler` does; ``set_start(samples)`` lets a run resume.
"""

from toolkit.registry import import_parts

import_parts(__name__)
