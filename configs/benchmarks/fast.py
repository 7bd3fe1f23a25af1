"""Whether --fast trains as well as plain float32: the same steps, three seeds, curves over the iterations.

    python tools/benchmark.py benchmarks/fast --workers 2

Synthetic people, actions held out. bfloat16, fused updates and what else --fast chooses on the machine are in the rows named fast.
"""
clips = dict(actors=dict(options={
    'data.root': 'data/benchmark_small',
    'data.synthetic': dict(height=128, width=96, actors=[1, 3], actions=16, frames=24),
    'data.split_rule': dict(train_actions_per_person=14, train_fraction=0.875),
    'train_dataloader.dataset.cache': 'decoded', 'train_dataloader.batch_size': 2,
    'model.discriminator.ndf': 32, 'model.discriminator.num_scales': 2}))

_body = dict(ngf=24, n_down=3, n_blocks=4)
_paper = {f'model.generator.{key}': value for key, value in _body.items()}
_textured = {f'model.generator.generator.{key}': value for key, value in _body.items()}
rows = [
    dict(name='paper A, plain', config='ablations/stage2_global', options=_paper, fast=False),
    dict(name='paper A, fast', config='ablations/stage2_global', options=_paper, fast=True),
    dict(name='textured, plain', config='textured', options=_textured, fast=False),
    dict(name='textured, fast', config='textured', options=_textured, fast=True)]
budgets = [dict(iterations=[50, 100, 200])]
seeds = [0, 1, 2]
plot = ['lpips*/full', 'pck/limbs@0.1']
options = {
    'train_dataloader.num_workers': 0, 'model.losses.perceptual.download': False,
    'model.ema': 0.98, 'optim_wrapper.g.optimizer.lr': 4e-4, 'optim_wrapper.d.optimizer.lr': 4e-4}
