"""Pose networks: pictures -> joint heatmaps and part affinity fields.

``POSE_NETWORKS``: a :class:`toolkit.weights.ConfiguredNetwork` with the attributes ``stride``, pixels of a cell of the maps,
``multiple``, which the sides of pictures must be multiples of, and ``height``, of the pictures it is trained on. Called with pictures
(B, 3, H, W) in [-1, 1], it returns the heatmaps (B, 19, H / stride, W / stride), the last one background, and the fields
(B, 38, H / stride, W / stride). Trained by :class:`toolkit.models.pose_training.PoseTraining`, it becomes a pose estimator,
:class:`toolkit.poses.trained_pose_network.TrainedPoseNetwork`.
"""

from toolkit.registry import import_parts

import_parts(__name__)
