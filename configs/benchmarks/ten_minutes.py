"""Paper A and its baseline, Deformable GAN, with ten minutes of training each: in one minute nobody learns a person.

    python tools/benchmark.py benchmarks/ten_minutes --workers 2

Networks and rates as in table1.py, clips of 24 frames of 256x192.
"""
_base_ = ['table1.py']
clips = dict(actors=dict(options={
    'data.root': 'data/benchmark_actors', 'data.synthetic': dict(height=256, width=192, actors=[1, 3, 8, 12], actions=16, frames=24)}))
_common = {'model.discriminator.ndf': 16}
rows = [
    dict(name='paper A', config='ablations/stage2_global', options={
        **_common, 'model.generator.ngf': 16, 'model.generator.n_down': 3, 'model.generator.n_blocks': 4,
        'model.discriminator.num_scales': 2, 'train_dataloader.batch_size': 1}),
    dict(name='Deformable GAN', config='baselines/deformable_gan', options={
        **_common, 'model.generator.ngf': 12, 'model.generator.n_down': 6, 'train_dataloader.batch_size': 2})]
budgets = [dict(minutes=10)]
seeds = [0, 1, 2]
