"""Without reference frames: what is painted, before the empty scene."""
_base_ = '../own/textured.py'
data = dict(references=dict(count=0))
model = dict(feature_maps=dict(references=0))
