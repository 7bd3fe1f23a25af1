"""Data: two synthetic actors at 256x256, 12 actions of 100 frames each for training, made on first use."""
_split_rule = dict(test_actions=['wave_both', 'squat', 'kick', 'bow'])
_synthetic = dict(height=256, width=256, actions=16, frames=100)
data = dict(
    size=(256, 256), a=dict(root='data/actor_01_256', synthetic=dict(_synthetic, actors=[1]), split_rule=_split_rule),
    b=dict(root='data/actor_08_256', synthetic=dict(_synthetic, actors=[8]), split_rule=_split_rule))

train_dataloader = dict(
    batch_size=1,
    num_workers=None,   # 2, none with cache='decoded'; with --fast what fits the machine
    sampler=dict(type='DrawSampler', shuffle=True),
    dataset=dict(
        type='UnpairedClips', a=dict(split='train'), b=dict(split='train'), window=1,
        transforms=[dict(type='RandomCrop', scale=286 / 256), dict(type='RandomFlip')]))

test_dataloader = dict(
    batch_size=1,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='DirectedClips', a=dict(split='test'), b=dict(split='test'), paired=True))
