"""CycleGAN between two actors with the losses of paper B alone: no identity loss, no discriminators of faces."""
_base_ = 'cyclegan.py'

model = dict(losses=dict(identity=dict(weight=0.0), face=dict(weight=0.0)))
optim_wrapper = dict(d=dict(networks=['net_d_a', 'net_d_b']))
