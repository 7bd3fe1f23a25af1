"""Real people on stretches of their clips that were held out: this toolkit's ways to their own video, and plain baselines.

    python tools/prepare_data.py squats.mp4 arms.mp4 juggle.mp4 --out data/people --size 384x256
    python tools/prepare_data.py no.mp4 student.mp4 --out data/people --size 384x256 --person signer_a
    python tools/prepare_data.py school.mp4 --out data/people --size 384x256 --person signer_c
    python tools/benchmark.py benchmarks/people --workers 2

Zero-shot and fine-tuned start from generators that left out the person they are tested on, one file for each person:
work_dirs/pretrained/without_squats.safetensors and so on (configs/pretrain_textured.py with other clips in
train_dataloader.dataset.datasets.people, then tools/publish_model.py --any-size).
"""
_third = (2 / 3, 1.0)
clips = dict(
    squats=dict(root='data/people/squats', held_out=(40, 53)),
    arms=dict(root='data/people/arms', held_out=_third),
    juggle=dict(root='data/people/juggle', held_out=_third, person='juggler'),
    no=dict(root='data/people/no', held_out=_third, person='signer_a'),
    student=dict(root='data/people/student', held_out=_third, person='signer_a'),
    school=dict(root='data/people/school', held_out=_third, person='signer_c'))

_without = 'work_dirs/pretrained/without_{person}.safetensors'
_before = [dict(iterations=0)]
rows = [
    dict(name='paper A', config='own/video', budgets=[dict(iterations=1800)]),
    dict(name='parts pasted', config='own/video', untrained='PasteParts'),
    dict(name='nearest frame', config='own/video', untrained='NearestFrame'),
    dict(name='content frame', config='own/video', untrained='CopyContent'),
    dict(name='copying alone', config='own/textured', budgets=_before),
    dict(name='textured from scratch', config='own/textured', budgets=[dict(iterations=366)]),
    dict(name='zero-shot', config='own/finetune', init=_without, budgets=_before),
    dict(name='fine-tuned', config='own/finetune', init=_without, budgets=[dict(iterations=80)], seeds=[0, 1, 2]),
    dict(name='fine-tuned longer', config='own/finetune', init=_without, budgets=[dict(iterations=400)])]
fast = True
options = {'model.losses.perceptual.download': False}
