"""Warpers: source maps and two poses -> maps under the target pose.

``WARPERS``: ``nn.Module``, called as ``warper(maps, source_pose, target_pose, source_parts)`` with maps (B, C, H, W) float >= 0 in the
source pose, both poses (B, 18, 3), and source_parts (B, H, W), labels 0..10 of the source. It returns a
:class:`toolkit.warpers.part_affine.Warp`: maps (B, C, H, W), coverage (B, 1, H, W) in [0, 1] and valid (B, 10) bool.

A warper may offer ``prepare(source_pose, source_parts)``, for what depends on the source alone. A video has one source, so what it
returns is computed once and given with each frame: ``warper(maps, source_pose, target_pose, source_parts, source)``.
"""

from toolkit.registry import import_parts

import_parts(__name__)
