"""Skeleton consistency in batches of 3: paper B reports poor results. As many epochs as with single frames."""
_base_ = '../cyclegan_skeleton.py'
model = dict(auto_weight=dict(freeze_at=800))
train_dataloader = dict(batch_size=3)
train_cfg = dict(max_iters=80_000)
param_scheduler = [dict(type='ConstantThenLinearLR', constant=100, decay=100, epoch_iters=400)]
