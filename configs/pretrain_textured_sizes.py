"""The generator of ``pretrain_textured.py`` goes on at two sizes, 192x128 and 384x256; a batch has one of them.

    python tools/train.py configs/pretrain_textured_sizes.py --amp --cfg-options load_from=work_dirs/pretrain_textured
    python tools/publish_model.py work_dirs/pretrain_textured_sizes --any-size --out any_person.safetensors

By default it goes on with the generator that comes with the toolkit.
"""
_base_ = ['pretrain_textured.py']
load_from = 'hvt::pretrained/textured.safetensors'

_large = dict(   # the clips are no larger than these frames, so references keep their size
    type='ClipWindows', size=(384, 256), window=2, content='random', plate=True,
    references=dict(count=2, vary=True, scale=1, figure=True),
    transforms=[dict(type='RandomFlip'), dict(type='ColorJitter'), dict(type='JointNoise')])

train_dataloader = dict(
    sampler=dict(shuffle=False),
    dataset=dict(
        optional=['people', 'people_large'], weights=dict(rendered_large=1, people_large=1),
        datasets=dict(
            rendered_large=dict(
                _large, root='data/pretrain_people', synthetic={{_base_.test_dataloader.dataset.synthetic}},
                persons=[f'actor_{number:02d}' for number in range(22)]),
            people_large=dict(_large, root='data/people'))))

optim_wrapper = dict(g=dict(optimizer=dict(lr=2e-4)), d=dict(optimizer=dict(lr=2e-4)))
param_scheduler = dict(begin=0, end=400)
train_cfg = dict(max_iters=400)
