"""Skeleton consistency cell by cell alone, as published: whoever is more than a cell off is not pulled back."""
_base_ = '../cyclegan_skeleton.py'
model = dict(losses=dict(skeleton=dict(scales=(1,))))
