"""Textured generator with a penalty on the discriminator's gradient at real pictures (R1), every 16th iteration."""
_base_ = '../textured.py'
model = dict(r1=dict(weight=1.0, every=16))
