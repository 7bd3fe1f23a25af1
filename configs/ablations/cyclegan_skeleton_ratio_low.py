"""Skeleton consistency at a hundredth of the other losses."""
_base_ = '../cyclegan_skeleton.py'
model = dict(auto_weight=dict(ratio=0.01))
