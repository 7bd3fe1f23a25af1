"""A pose network that knows the two actors in furnished rooms, for cyclegan_skeleton_furnished.py."""
_base_ = 'transfer_pose_network.py'

_room = dict(room='furnished')
data = dict(a=dict(root='data/demo_rooms_01', synthetic=_room), b=dict(root='data/demo_rooms_08', synthetic=_room))
