"""Textured generator without filling: what no reference shows of the torso stays a hole, for it to paint."""
_base_ = '../own/textured.py'
data = dict(references=dict(figure=False))
model = dict(feature_maps=dict(texture_fill=False))
