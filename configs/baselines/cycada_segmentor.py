"""A small segmentor of the two persons of a transfer, at 256x256, for cycada.py: 4,000 iterations of 16 frames.

    python tools/train.py configs/baselines/cycada_segmentor.py

It learns from the masks of the prepared clips, by default those of two synthetic actors.
"""
_base_ = ['../_base_/runtime.py', '../_base_/two_actors.py']

model = dict(type='SegmentorTraining', network=dict(widths=(16, 32, 64, 96, 128)))
optim_wrapper = dict(
    constructor='NetworkOptimizers',
    s=dict(networks=['net_s'], type='OptimWrapper', optimizer=dict(type='AdamW', lr=2e-3, weight_decay=1e-4)))
train_dataloader = dict(batch_size=8)
train_cfg = dict(type='IterLoop', max_iters=4000)
param_scheduler = [dict(type='CosineAnnealingLR', end=4000, eta_min=0)]
test_evaluator = [dict(type='L1', protocols=['full'])]
test_cfg = dict()
