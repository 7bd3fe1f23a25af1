"""Color encoder, paper A read literally: BicycleGAN's encoder on whole frames, its summed KL and batch, no region-weighted L1."""
_base_ = '../stage1_bicyclegan_up.py'

model = dict(
    encoder=dict(sees='whole', encoder=dict(norm='instance', init='xavier', logvar_bias=0.0, pooling='avg8')),
    losses=dict(region=dict(weight=0.0), kl=dict(reduction='sum')))
train_dataloader = dict(batch_size=2)
train_cfg = dict(max_iters=1_000_000)
param_scheduler = [dict(type='ConstantThenLinearLR', constant=100, decay=100, epoch_iters=5000)]
