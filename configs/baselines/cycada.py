"""CyCADA between two persons: CycleGAN whose pictures must show a frozen segmentor the person where the input does.

The segmentor is trained first, on the masks of the synthetic actors. For videos of your own write two configs with the data of your
persons, as cyclegan.py shows: one over baselines/cycada_segmentor.py, which you train first, and one over this file. The second names
the work dir of the first: model = dict(losses=dict(semantic=dict(segmentor=dict(checkpoint='work_dirs/mine')))).
"""
_base_ = '../cyclegan.py'

model = dict(losses=dict(semantic=dict(
    type='SemanticConsistencyLoss', of='skeleton', weight=1.0,
    segmentor=dict(type='TrainedSegmentor', checkpoint='work_dirs/cycada_segmentor'))))
needs = dict(segmentor=dict(part='model.losses.semantic.segmentor.checkpoint', config='{{fileDirname}}/cycada_segmentor.py'))
