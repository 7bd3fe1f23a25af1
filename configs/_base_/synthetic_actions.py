"""Data: the synthetic actions, 13 actors x 16 actions x 100 frames at 384x256, made on first use.

Ten actions of each actor are trained on, 13,000 frames. Configs that speak of epochs count 10,000 frames, or pairs, to each.
"""
data = dict(root='data/synthetic_actions', synthetic=dict(height=384, width=256, actors=13, actions=16, frames=100))

train_dataloader = dict(
    batch_size=1,
    num_workers=None,   # 2, none with cache='decoded'; with --fast what fits the machine
    sampler=dict(type='DrawSampler', shuffle=True),
    dataset=dict(type='ClipWindows', split='train', window=2, content='first'))

test_dataloader = dict(
    batch_size=1,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='ClipWindows', split='test', window=None))

custom_hooks = [dict(type='GenerateHook', interval=5000, max_frames=50, clips=[0, 1])]
