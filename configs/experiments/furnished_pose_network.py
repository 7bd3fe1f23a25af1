"""The pose network of cyclegan_skeleton_furnished.py: transfer_pose_network.py in furnished rooms."""
_base_ = 'transfer_pose_network.py'

_a = dict(root='data/demo_rooms_01', synthetic=dict(room='furnished'))
_b = dict(root='data/demo_rooms_08', synthetic=dict(room='furnished'))
train_dataloader = dict(dataset=dict(a=_a, b=_b))
test_dataloader = dict(dataset=dict(a=_a, b=_b))
