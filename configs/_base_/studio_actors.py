"""Two synthetic actors before plain walls at 96x64, 12 actions of 48 frames each for training, 4 held out, made on first use."""
_base_ = 'two_actors.py'

_studio = dict(height=192, width=128, frames=48, room='plain', stature=1.2)
data = dict(
    size=(96, 64), a=dict(root='data/demo_studio_01', synthetic=_studio), b=dict(root='data/demo_studio_08', synthetic=_studio))
train_dataloader = dict(dataset=dict(a=dict(cache='decoded'), b=dict(cache='decoded'), transforms=[]))
