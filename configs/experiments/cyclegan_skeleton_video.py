"""All future directions of paper B at once on the actors of cyclegan.py: half as many iterations, of three frames each."""
_base_ = 'cyclegan_skeleton.py'

model = dict(
    window=3, previous_frames=2, stateful=True,
    losses=dict(temporal=dict(type='GANLoss', objective='lsgan', weight=1.0), cycle=dict(masked=True), identity=dict(masked=True)),
    skeleton_scaling=True, foreground=dict(margin=0.03))
_networks = ['net_d_a', 'net_d_b', 'net_d_a_time', 'net_d_b_time', 'net_d_a_face', 'net_d_b_face']
optim_wrapper = dict(d=dict(networks=_networks))
train_dataloader = dict(
    sampler=dict(shuffle=False), dataset=dict(window=3, sequence=4, anchors=True))
data = dict(plates=True)
param_scheduler = [dict(type='LinearLR', start_factor=1.0, end_factor=0.0, begin=300, end=650)]
train_cfg = dict(max_iters=650)
