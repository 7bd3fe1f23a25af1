"""Two synthetic actors before plain walls at 96x64, 12 actions of 48 frames each for training, 4 held out, made on first use."""
_studio_size = (96, 64)
_studio_rule = dict(test_actions=['wave_both', 'squat', 'kick', 'bow'])
_studio = dict(height=192, width=128, actions=16, frames=48, room='plain', stature=1.2)
_studio_a = dict(root='data/demo_studio_01', synthetic=dict(_studio, actors=[1]), split_rule=_studio_rule)
_studio_b = dict(root='data/demo_studio_08', synthetic=dict(_studio, actors=[8]), split_rule=_studio_rule)

train_dataloader = dict(
    batch_size=1,
    num_workers=0,
    persistent_workers=False,
    sampler=dict(type='DrawSampler', shuffle=True),
    dataset=dict(
        type='UnpairedClips', a=dict(_studio_a, split='train', cache='decoded'), b=dict(_studio_b, split='train', cache='decoded'),
        window=1, size=_studio_size, transforms=[]))

test_dataloader = dict(
    batch_size=1,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='DirectedClips', a=dict(_studio_a, split='test'), b=dict(_studio_b, split='test'), size=_studio_size, paired=True))
