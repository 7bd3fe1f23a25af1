"""Skeleton consistency with frame consistency: sequential batches, two previous frames as input, a discriminator of three frames."""
_base_ = '../cyclegan_skeleton.py'
model = dict(window=3, previous_frames=2, stateful=True, losses=dict(temporal=dict(type='GANLoss', objective='lsgan', weight=1.0)))
optim_wrapper = dict(d=dict(networks=['net_d_a', 'net_d_b', 'net_d_a_time', 'net_d_b_time']))
train_dataloader = dict(sampler=dict(shuffle=False), dataset=dict(window=3, sequence=4))
