"""A generator for people that it never saw: on synthetic people of all kinds and on clips of real people, where there are some.

    python tools/prepare_data.py ann.mp4 --out data/people --person ann --size 384x256       # once for each person
    python tools/train.py configs/pretrain_textured.py --fast
    python tools/publish_model.py work_dirs/pretrain_textured --any-size --out any_person.safetensors

The synthetic people are rendered on first use. Real ones are optional, but more training on clean synthetic people alone makes real
ones worse. Colors, joints and masks vary, so that it learns to take what a person's own footage shows, whatever that is.
"""
_base_ = ['_base_/runtime.py', '_base_/evaluation.py', '_base_/video_pix2pixhd.py']

_synthetic = dict(height=384, width=256, actors=24, actions=16, frames=32, varied=True)
_people = dict(type='ClipWindows', root='data/pretrain_people', synthetic=_synthetic, size=(192, 128))
_rendered = [f'actor_{number:02d}' for number in range(22)]
_unseen = ['actor_22', 'actor_23']
_training = dict(
    window=2, content='random', references=dict(count=2, vary=True, figure=True), plate=True,
    transforms=[dict(type='RandomFlip'), dict(type='ColorJitter'), dict(type='JointNoise')])
_test = dict(_people, persons=_unseen, split='test', window=None, references=dict(count=2, figure=True), plate=True)

train_dataloader = dict(
    batch_size=2,
    sampler=dict(type='DrawSampler', shuffle=True),
    dataset=dict(
        type='MixedClips', optional=['people'], weights=dict(rendered=1, people=1),
        datasets=dict(
            rendered=dict(_people, persons=_rendered, **_training),
            people=dict(type='ClipWindows', root='data/people', size=(192, 128), **_training))))
test_dataloader = dict(
    batch_size=1, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=False), dataset=_test)
custom_hooks = [dict(type='GenerateHook', interval=400, max_frames=24, clips=[0, 1])]

model = dict(
    generator=dict(
        _delete_=True, type='BlendGenerator', generator=dict(type='GlobalGenerator', ngf=24, n_down=3, n_blocks=4)),
    discriminator=dict(ndf=32, num_scales=2),
    discriminator_view=dict(crop='person', background=False),
    feature_maps=dict(references=2, plate=True, texture_fill=True),
    losses=dict(perceptual=dict(weight=10.0), l1=dict(weight=10.0)),
    channels_last=True,
    ema=0.995)
optim_wrapper = dict(g=dict(optimizer=dict(lr=4e-4)), d=dict(optimizer=dict(lr=4e-4)))
param_scheduler = dict(type='LinearLR', start_factor=1.0, end_factor=0.1, begin=1000, end=1600)
train_cfg = dict(type='IterLoop', max_iters=1600)
default_hooks = dict(checkpoint=dict(interval=200))
