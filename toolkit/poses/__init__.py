"""Pose estimators (frames -> keypoints), pose networks, drawing, smoothing and retargeting."""

from toolkit.registry import import_parts

import_parts(__name__)
