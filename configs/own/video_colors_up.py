"""The color encoder of the upper body on prepared clips of your own; see video_colors.py."""
_base_ = ['../demo/colors_up.py']

data = dict(
    root='data/mine', size=None, pixels=96 * 64, multiple=32, synthetic=None,
    split_rule=dict(train_actions_per_person=10**6, train_fraction=0.75))
