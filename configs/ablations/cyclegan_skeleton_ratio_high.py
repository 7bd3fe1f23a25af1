"""Skeleton consistency at a quarter of the other losses."""
_base_ = '../cyclegan_skeleton.py'
model = dict(auto_weight=dict(ratio=0.25))
