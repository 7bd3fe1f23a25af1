"""Skeleton scaling alone: the input's maps are brought to the other person's size and place before they are compared."""
_base_ = '../cyclegan_skeleton.py'
model = dict(skeleton_scaling=True)
train_dataloader = dict(dataset=dict(anchors=True))
