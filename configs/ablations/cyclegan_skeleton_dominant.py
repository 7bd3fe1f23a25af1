"""Skeleton consistency as high as the other losses: paper B reports poor pictures."""
_base_ = '../cyclegan_skeleton.py'
model = dict(auto_weight=dict(ratio=1.0))
