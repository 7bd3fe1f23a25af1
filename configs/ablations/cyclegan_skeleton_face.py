"""Skeleton consistency with discriminators of faces, which paper B names as a possible remedy against pictures without them."""
_base_ = '../cyclegan_skeleton.py'
model = dict(losses=dict(face=dict(type='GANLoss', objective='lsgan', weight=1.0)), face_crops=dict(size=64))
optim_wrapper = dict(d=dict(networks=['net_d_a', 'net_d_b', 'net_d_a_face', 'net_d_b_face']))
