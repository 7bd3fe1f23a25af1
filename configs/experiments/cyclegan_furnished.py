"""The actors of cyclegan.py in furnished rooms, each in another one: the patterned backgrounds that paper B found hard."""
_base_ = 'cyclegan.py'

_a = dict(root='data/demo_rooms_01', synthetic=dict(room='furnished'))
_b = dict(root='data/demo_rooms_08', synthetic=dict(room='furnished'))
train_dataloader = dict(dataset=dict(a=_a, b=_b))
test_dataloader = dict(dataset=dict(a=_a, b=_b))
