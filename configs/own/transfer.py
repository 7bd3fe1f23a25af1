"""Minutes on one CPU core: CycleGAN between clips of two persons of your own, about as small as 96x64; a quarter is held out.

    python tools/prepare_data.py me_*.mp4 --out data/mine --person me
    python tools/prepare_data.py dancer_*.mp4 --out data/mine --person dancer
    python tools/train.py configs/own/transfer.py --fast
    python tools/generate.py work_dirs/transfer --driving dancer.mp4 --direction ba --out me.mp4

A few clips of one person are soon known by heart. So discriminators are kept smooth (R1), and that of faces counts less: its crops have
fewer patches than a frame, and each would count more. With the settings of cyclegan.py heads end as colored speckles.
"""
_base_ = ['../experiments/cyclegan.py']

_person = dict(
    _delete_=True, root='data/mine', pixels=96 * 64, multiple=8, split_rule=dict(train_actions_per_person=10**6, train_fraction=0.75))
model = dict(r1=dict(weight=100.0, every=4), losses=dict(face=dict(weight=0.15)))
data = dict(size=None, a=dict(_person, persons=['me']), b=dict(_person, persons=['dancer']))
test_dataloader = dict(dataset=dict(paired=False))
