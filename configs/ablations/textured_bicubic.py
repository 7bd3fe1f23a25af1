"""Textured generator whose references are sampled by a bicubic filter."""
_base_ = '../textured.py'
model = dict(feature_maps=dict(texture_warper=dict(type='PartAffineWarper', merge='over', rigid_head=True, sampling='bicubic')))
