"""CycleGAN between two persons (the baseline of paper B) at 256x256: 100 + 100 epochs of 1,200 frames, batch 1.

The two persons are synthetic actors by default. For clips of two persons of your own (tools/prepare_data.py, 256x256) write a config::

    _base_ = 'hvt::cyclegan.py'
    data = dict(a=dict(_delete_=True, root='data/me'), b=dict(_delete_=True, root='data/dancer'))
    test_dataloader = dict(dataset=dict(paired=False))

An epoch has as many iterations as the longer video has frames: set epoch_iters of param_scheduler (and max_iters) to it.
"""
_base_ = ['_base_/runtime.py', '_base_/two_actors.py', '_base_/cycle_gan.py', '_base_/transfer_evaluation.py']

train_cfg = dict(type='IterLoop', max_iters=240_000)
param_scheduler = [dict(type='ConstantThenLinearLR', constant=100, decay=100, epoch_iters=1200)]
custom_hooks = [dict(type='CollapseMonitor', interval=1000, threshold=0.2)]
