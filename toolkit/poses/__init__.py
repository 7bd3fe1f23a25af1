"""Pose estimators: frames -> poses; drawing, smoothing and retargeting of poses.

``POSE_ESTIMATORS``: called with consecutive frames (T, H, W, 3) uint8 RGB, it returns one person's poses (T, 18, 3) float32: x, y in
pixels of the frame, and the confidence in [0, 1], 0 for a missing joint. The joints are OpenPose's 18, in the order of
:data:`toolkit.skeletons.JOINTS`; :func:`toolkit.skeletons.to_openpose18` makes them of other layouts. It may offer more: ``track``
follows one person through a clip, ``detect`` gives everybody in view, ``people_of_frames`` needs no picture, see
:mod:`toolkit.preparing.poses`. Losses need differentiable ``heatmaps``, as
:class:`toolkit.poses.heatmap_estimator.HeatmapEstimator` has them.
"""

from toolkit.registry import import_parts

import_parts(__name__)
