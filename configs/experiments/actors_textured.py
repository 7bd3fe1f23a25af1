"""The video generator of actors.py without codes: it copies from references, and colors come from references that are recolored."""
_base_ = ['../demo/synthetic.py']

data = dict(
    root='data/demo_actors', synthetic=dict(height=128, width=96, actors=[0, 3, 5, 9, 10, 12], actions=16, frames=24),
    split_rule=dict(train_actions_per_person=12, train_fraction=0.75), references=dict(count=2, scale=1), plate=True)
train_dataloader = dict(
    batch_size=4, dataset=dict(transforms=[dict(type='RecolorGarments', region='both', per='clip', keep=0.1)]))
custom_hooks = []
model = dict(
    generator=dict(_delete_=True, type='BlendGenerator', generator=dict(type='GlobalGenerator', ngf=24, n_down=3, n_blocks=4)),
    discriminator=dict(ndf=32),
    discriminator_view=dict(crop='person', background=False),
    feature_maps=dict(references=2, plate=True),
    losses=dict(perceptual=dict(weight=10.0, download=False), l1=dict(weight=0.0), person=dict(weight=20.0, cell=8)))
train_cfg = dict(max_iters=1000)
param_scheduler = dict(begin=400, end=1000)
