"""Minutes on one CPU core: CycleGAN between clips of two persons of your own, about as small as 96x64; a quarter is held out.

    python tools/prepare_data.py me_*.mp4 --out data/mine --person me
    python tools/prepare_data.py dancer_*.mp4 --out data/mine --person dancer
    python tools/train.py configs/own/transfer.py --amp
    python tools/generate.py work_dirs/transfer --driving dancer.mp4 --direction ba --out me.mp4
"""
_base_ = ['../experiments/cyclegan.py']

_split_rule = dict(train_actions_per_person=8, train_fraction=0.75)
data = dict(
    size=None, a=dict(_delete_=True, root='data/mine', persons=['me'], pixels=96 * 64, split_rule=_split_rule),
    b=dict(_delete_=True, root='data/mine', persons=['dancer'], pixels=96 * 64, split_rule=_split_rule))
test_dataloader = dict(dataset=dict(paired=False))
