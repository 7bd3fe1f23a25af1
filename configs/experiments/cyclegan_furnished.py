"""CycleGAN between the two actors of cyclegan.py in furnished rooms, each in another one: backgrounds that paper B found hard."""
_base_ = 'cyclegan.py'

_room = dict(room='furnished')
data = dict(a=dict(root='data/demo_rooms_01', synthetic=_room), b=dict(root='data/demo_rooms_08', synthetic=_room))
