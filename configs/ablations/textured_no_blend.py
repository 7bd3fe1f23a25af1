"""Textured generator with references as an input alone: their pixels are not copied, the person is painted."""
_base_ = '../own/textured.py'
model = dict(generator=dict(blend=False))
