"""All methods on real people, on stretches of their clips that were held out, in equal iterations.

    python tools/prepare_data.py squats.mp4 --out data/real --size 384x256 --person squats
    python tools/prepare_data.py arms.mp4 --out data/real --size 384x256 --person arms
    python tools/prepare_data.py juggle.mp4 --out data/real --size 384x256 --person juggler
    python tools/prepare_data.py student.mkv --out data/real --size 384x256 --person signer_a
    python tools/benchmark.py benchmarks/real --seeds 0 --workers 2

Rows, networks and rates as in table1.py. Each method learns all four people at once, from the first two thirds of their clips.
"""
_base_ = ['table1.py']

clips = dict(_delete_=True, four=dict(root='data/real', held_out=(2 / 3, 1.0), options={
    'data.pixels': 256 * 192, 'data.multiple': 64, 'train_dataloader.dataset.cache': 'decoded', 'train_cfg.max_iters': 400,
    'param_scheduler': [dict(type='LinearLR', start_factor=1.0, end_factor=0.05, begin=200, end=400)]}))
budgets = [dict(iterations=200)]
