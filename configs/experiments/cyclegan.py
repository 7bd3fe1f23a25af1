"""Minutes on one CPU core: CycleGAN between two synthetic actors before plain walls at 96x64; the truth about four actions is known.

    python tools/train.py configs/experiments/cyclegan.py --fast
    python tools/test.py configs/experiments/cyclegan.py work_dirs/cyclegan --baselines --out cyclegan.json

What differs from the published settings, because so few iterations and so small pictures want it: no mirroring, which would mirror the
light, too; CycleGAN's identity loss, without which both generators together often learn to move everybody aside; discriminators of
faces, which are a few pixels here; discriminators that see a part of the person, with spectral norm, or else they win at once and the
pictures dissolve in noise; up-convolutions without a checkerboard; an averaged generator. cyclegan_paper.py has the paper's losses.
"""
_base_ = [
    '../_base_/runtime.py', '../_base_/studio_actors.py', '../_base_/cycle_gan.py', '../_base_/transfer_evaluation.py']

model = dict(
    losses=dict(identity=dict(weight=5.0), face=dict(type='GANLoss', objective='lsgan', weight=1.0)), face_crops=dict(size=32),
    generator=dict(ngf=32, n_blocks=6, up='nearest'), discriminator=dict(ndf=32, n_layers=2, norm='spectral'),
    ema=0.99, channels_last=True)
optim_wrapper = dict(
    g=dict(optimizer=dict(lr=4e-4)),
    d=dict(optimizer=dict(lr=2e-4), networks=['net_d_a', 'net_d_b', 'net_d_a_face', 'net_d_b_face']))
param_scheduler = [dict(type='LinearLR', start_factor=1.0, end_factor=0.0, begin=600, end=1300)]
train_cfg = dict(type='IterLoop', max_iters=1300)
custom_hooks = [dict(type='CollapseMonitor', interval=250, threshold=0.2, begin=500)]
default_hooks = dict(checkpoint=dict(interval=500, max_keep_ckpts=1), logger=dict(interval=50))
