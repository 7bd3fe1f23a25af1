"""Skeleton consistency where cells of the maps with a joint count up to eleven times."""
_base_ = '../cyclegan_skeleton.py'
model = dict(losses=dict(skeleton=dict(weighting='foreground')))
