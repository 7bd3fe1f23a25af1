"""Minutes on one CPU core: restoration of warped feature maps of the actors of benchmarks/ablations, for restored_actors.py.

    python tools/train.py configs/experiments/restoration_actors.py --fast
"""
_base_ = ['restoration.py']

data = dict(
    root='data/benchmark_actors', synthetic=dict(height=256, width=192, actors=[1, 3, 8, 12], actions=16, frames=24),
    split_rule=dict(train_actions_per_person=12, train_fraction=0.75))
custom_hooks = []
