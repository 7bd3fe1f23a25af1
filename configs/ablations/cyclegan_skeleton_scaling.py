"""Skeleton consistency with skeleton scaling: the input's maps are first brought to the other person's size and place."""
_base_ = '../cyclegan_skeleton.py'
model = dict(skeleton_scaling=True)
train_dataloader = dict(dataset=dict(anchors=True))
