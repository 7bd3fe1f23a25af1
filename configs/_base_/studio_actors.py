"""Two synthetic actors before plain walls at 96x64, 12 actions of 48 frames each for training, 4 held out, made on first use."""
_base_ = 'two_actors.py'

_studio = dict(height=192, width=128, frames=48, room='plain', stature=1.2)
_studio_a = dict(root='data/demo_studio_01', synthetic=_studio)
_studio_b = dict(root='data/demo_studio_08', synthetic=_studio)

train_dataloader = dict(
    num_workers=0, persistent_workers=False,
    dataset=dict(a=dict(_studio_a, cache='decoded'), b=dict(_studio_b, cache='decoded'), size=(96, 64), transforms=[]))
test_dataloader = dict(dataset=dict(a=_studio_a, b=_studio_b, size=(96, 64)))
