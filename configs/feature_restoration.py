"""Restoration of warped feature maps (paper A, section 2.3) at 384x256: 10 + 10 epochs of about 10,000 frames, batch 8.

    python tools/train.py configs/feature_restoration.py
    python tools/test.py configs/feature_restoration.py work_dirs/feature_restoration/iter_0025000.pth --baselines

The table has the warped maps beside the restored ones. configs/ablations/stage2_restored.py trains the video generator with it.
"""
_base_ = ['_base_/runtime.py', '_base_/synthetic_actions.py', '_base_/feature_restoration.py']

train_dataloader = dict(batch_size=8, dataset=dict(window=1, content='random'))
train_cfg = dict(type='IterLoop', max_iters=25_000)
param_scheduler = [dict(type='ConstantThenLinearLR', constant=10, decay=10, epoch_iters=1250)]
