"""CyCADA between two persons: CycleGAN whose pictures must show a frozen segmentor the person where the input does.

The segmentor is trained first, on the masks of the clips. For videos of your own train it on them, as it says itself, and name its work
dir: model.losses.semantic.segmentor.checkpoint.
"""
_base_ = '../cyclegan.py'

model = dict(losses=dict(semantic=dict(
    type='SemanticConsistencyLoss', of='skeleton', weight=1.0,
    segmentor=dict(type='TrainedSegmentor', checkpoint='work_dirs/cycada_segmentor'))))
needs = dict(segmentor=dict(part='model.losses.semantic.segmentor.checkpoint', config='{{fileDirname}}/cycada_segmentor.py'))
