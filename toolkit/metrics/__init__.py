"""Metrics, functional and as classes.

``METRICS``: a :class:`toolkit.metrics.base.ClipMetric`. ``update(state, sample)`` looks at the next frames of a clip: ``generated`` and
``real`` (T, H, W, 3) uint8 RGB, ``mask`` (T, H, W) bool, ``poses`` (T, 18, 3), ``scored`` (T,) bool. ``compute(state)`` returns the
numbers of the clip, key -> :class:`toolkit.metrics.base.Measure`. ``definitions`` says what each key means.
"""

from toolkit.registry import import_parts

import_parts(__name__)
