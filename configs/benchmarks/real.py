"""All methods on real people, on stretches of their clips that were held out, in equal iterations.

    python tools/benchmark.py benchmarks/real --seeds 0 --workers 2

Rows, networks and rates as in table1.py, clips as for people.py. Each method learns one clip.
"""
_base_ = ['table1.py']

_third = (2 / 3, 1.0)
_own = {
    'data.pixels': 256 * 192, 'data.multiple': 64, 'train_dataloader.dataset.cache': 'decoded', 'train_cfg.max_iters': 400,
    'param_scheduler': [dict(type='LinearLR', start_factor=1.0, end_factor=0.05, begin=200, end=400)]}
clips = dict(
    _delete_=True,
    squats=dict(root='data/people/squats', held_out=(40, 53), options=_own),
    arms=dict(root='data/people/arms', held_out=_third, options=_own),
    juggle=dict(root='data/people/juggle', held_out=_third, person='juggler', options=_own),
    student=dict(root='data/people/student', held_out=_third, person='signer_a', options=_own))
budgets = [dict(iterations=250)]
