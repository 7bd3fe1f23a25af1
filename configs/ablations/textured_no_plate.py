"""Textured generator without the empty scene: it paints what no reference shows."""
_base_ = '../own/textured.py'
data = dict(plate=False)
model = dict(feature_maps=dict(plate=False))
