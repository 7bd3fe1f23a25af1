"""The video generator (paper A, stage II) on the synthetic actions at 384x256: 30 epochs of about 10,000 pairs, batch 1."""
_base_ = ['_base_/runtime.py', '_base_/synthetic_actions.py', '_base_/video_pix2pixhd.py', '_base_/evaluation.py']

train_cfg = dict(type='IterLoop', max_iters=300_000)
