"""The skeleton loss compares joint heatmaps only, no part affinity fields."""
_base_ = '../cyclegan_skeleton.py'
model = dict(losses=dict(skeleton=dict(maps='heat')))
