"""What a minute of training buys on one's own clip: curves of LPIPS and PCK over the seconds of training, on held-out frames.

    python tools/benchmark.py benchmarks/minutes --workers 2

Points to two minutes are of one training; 5, 15 and 60 minutes are trainings of their own, whose learning rates fall as their minutes
pass. Minutes are processor time of a worker, which other work on the machine changes less than wall clock; have no more workers than
cores, and take clock = 'wall' for GPUs. All takes six hours of one core: --stop-after 60 does a part, and the same command goes on.

The textured generator starts from the one that comes along, which has not seen this person. CycleGAN, which paints another person, has
no truth on such a clip and is not here.
"""
clips = dict(squats=dict(root='data/people/squats', held_out=(40, 53)))

_size = {'data.pixels': 192 * 128, 'test_dataloader.dataset.content': 0}
_nets = {'model.generator.n_down': 3, 'model.generator.n_blocks': 4, 'model.discriminator.ndf': 32, 'model.discriminator.num_scales': 2,
         'model.losses.perceptual.weight': 20.0}
_two = [0, 1 / 6, 0.5, 1, 2]
rows = [
    dict(name='textured, from the generator that comes along', config='own/finetune'),
    dict(name='textured from scratch', config='own/textured', budgets=[dict(minutes=_two), dict(minutes=5)]),
    dict(name='paper A', config='own/video'),
    dict(name='Everybody Dance Now', config='baselines/everybody_dance_now', options={
        **_size, **_nets, 'train_dataloader.batch_size': 2, 'model.generator.ngf': 16, 'model.generator.n_local_blocks': 2,
        'model.face_size': 32, 'model.face_generator.ngf': 24, 'model.face_generator.n_down': 2, 'model.face_generator.n_blocks': 3,
        'model.face_discriminator.ndf': 32}),
    dict(name='vid2vid', config='baselines/vid2vid', options={**_size, **_nets, 'model.generator.ngf': 24}),
    dict(name='parts pasted', config='own/video', untrained='PasteParts'),
    dict(name='nearest frame', config='own/video', untrained='NearestFrame')]

budgets = [dict(minutes=_two), dict(minutes=5), dict(minutes=15), dict(minutes=60)]
clock = 'cpu'
plot = ['lpips*/full', 'pck/limbs@0.1']
options = {
    'train_dataloader.num_workers': 0, 'model.losses.perceptual.download': False, 'model.losses.face_perceptual.download': False,
    'optim_wrapper.g.optimizer.lr': 5e-4, 'optim_wrapper.d.optimizer.lr': 5e-4}
fast = True
