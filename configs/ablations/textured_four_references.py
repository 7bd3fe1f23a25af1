"""Textured generator with four reference frames of each frame."""
_base_ = '../own/textured.py'
data = dict(references=dict(count=4))
model = dict(feature_maps=dict(references=4))
