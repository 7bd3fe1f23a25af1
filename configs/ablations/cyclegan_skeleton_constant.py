"""Skeleton consistency with a constant weight instead of one that follows the other losses."""
_base_ = '../cyclegan_skeleton.py'
model = dict(losses=dict(skeleton=dict(weight=5.0)), auto_weight=None)
