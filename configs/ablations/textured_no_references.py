"""Textured generator without reference frames: the person is painted, before the empty scene."""
_base_ = '../own/textured.py'
data = dict(references=dict(count=0, figure=False))
model = dict(feature_maps=dict(references=0, texture_fill=False))
