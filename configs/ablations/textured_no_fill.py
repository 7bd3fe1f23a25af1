"""What no reference shows of the torso stays a hole, for the generator to paint."""
_base_ = '../own/textured.py'
data = dict(references=dict(figure=False))
model = dict(feature_maps=dict(texture_fill=False))
