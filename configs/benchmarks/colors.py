"""How color codes dress people (paper A, stage II), each seed with color encoders of its own: everything that is drawn varies.

    python tools/benchmark.py benchmarks/colors --workers 2

Six actors at 128x96, actions that nobody was trained on. The encoders of stage I are trained first, once for each seed.
"""
clips = dict(actors=dict())
rows = [
    dict(name='frozen codes', config='experiments/actors'),
    dict(name='codes learned along', config='experiments/actors_end_to_end'),
    dict(name='textures of lightness, frozen codes', config='experiments/actors_lightness'),
    dict(name='references recolored', config='experiments/actors_textured'),
    dict(name='no color codes', config='experiments/actors', options={'model.color_codes': None, 'needs.up': None, 'needs.down': None}),
    dict(name='frozen codes, no recoloring', config='experiments/actors', options={'train_dataloader.dataset.transforms': []}),
    dict(name='codes learned along, no recoloring', config='experiments/actors_end_to_end', options={
        'train_dataloader.dataset.transforms': []})]
budgets = [dict(iterations=1000)]
seeds = [0, 1, 2]
color_control = dict(clips=24, frames=24)
columns = [
    'colors/resp/*', 'colors/de/*', 'colors/de_across/*', 'colors/moved_*', 'sharpness/*', 'psnr/full', 'lpips*/crop', 'pck/limbs@0.1']
fast = True
