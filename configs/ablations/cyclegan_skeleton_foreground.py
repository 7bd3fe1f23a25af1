"""Skeleton consistency with the foreground mask alone: only the person is translated, the scene of the input stays."""
_base_ = '../cyclegan_skeleton.py'
model = dict(foreground=dict(margin=0.03), losses=dict(cycle=dict(masked=True), identity=dict(masked=True)))
data = dict(plates=True)
