"""Video generator with restored feature maps on the actors of benchmarks/ablations; restoration_actors.py is trained first.

    python tools/benchmark.py benchmarks/ablations --rows "features restored"

As in the paper, half of the samples in the first sixth of the training have real maps, here 33 of 200 iterations.
"""
_base_ = ['../ablations/stage2_restored.py']

data = dict(
    root='data/benchmark_actors', synthetic=dict(height=256, width=192, actors=[1, 3, 8, 12], actions=16, frames=24),
    split_rule=dict(train_actions_per_person=12, train_fraction=0.75))
model = dict(feature_maps=dict(restoration='work_dirs/restoration_actors'), curriculum=dict(iterations=33))
needs = dict(restoration=dict(config='{{fileDirname}}/restoration_actors.py'))
