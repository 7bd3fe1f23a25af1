"""CycleGAN between two actors with skeleton consistency and the losses of paper B alone: no identity loss, no faces."""
_base_ = 'cyclegan_skeleton.py'

model = dict(losses=dict(identity=dict(weight=0.0), face=dict(weight=0.0)))
optim_wrapper = dict(d=dict(networks=['net_d_a', 'net_d_b']))
