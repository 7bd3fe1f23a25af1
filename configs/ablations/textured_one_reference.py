"""Textured generator with one reference frame of each frame."""
_base_ = '../own/textured.py'
data = dict(references=dict(count=1))
model = dict(feature_maps=dict(references=1))
