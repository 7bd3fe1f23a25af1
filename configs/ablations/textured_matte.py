"""Textured generator whose matte is drawn to the person's mask."""
_base_ = '../textured.py'
model = dict(losses=dict(matte=dict(type='MatteLoss', kind='bce', weight=0.5)))
