"""Textured generator with spectral norm in the discriminator."""
_base_ = '../textured.py'
model = dict(discriminator=dict(norm='spectral'))
