"""Skeleton consistency in batches of 30: paper B reports mode collapse. As many epochs as with single frames."""
_base_ = '../cyclegan_skeleton.py'
model = dict(auto_weight=dict(freeze_at=80))
train_dataloader = dict(batch_size=30)
train_cfg = dict(max_iters=8_000)
param_scheduler = [dict(type='ConstantThenLinearLR', constant=100, decay=100, epoch_iters=40)]
