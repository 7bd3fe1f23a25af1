"""Textured generator whose discriminator looks at whole frames with their scene."""
_base_ = '../own/textured.py'
model = dict(discriminator_view=None)
