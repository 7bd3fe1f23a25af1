"""Skeleton consistency of joint heatmaps only, without part affinity fields."""
_base_ = '../cyclegan_skeleton.py'
model = dict(losses=dict(skeleton=dict(maps='heat')))
