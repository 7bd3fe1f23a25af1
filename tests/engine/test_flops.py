"""What is counted is a sample as a config trains on it: its size, and the frames of its windows."""

import pytest
from mmengine.config import Config

from tests.models.baseline_parts import build
from tests.models.test_pix2pix import OPTIONS
from toolkit.engine.flops import config_size, config_window, count_flops
from toolkit.engine.launch import load_config


@pytest.mark.parametrize('name, size, window', [
    ('stage2_pix2pixhd', (384, 256), 2), ('stage1_bicyclegan_up', (384, 256), 1), ('demo/colors_up', (96, 64), 1),
    ('ablations/stage2_three_frames', (384, 256), 3), ('cyclegan', (256, 256), 1), ('pretrain_textured', (192, 128), 2),
    ('own/video', (192, 128), 2), ('own/finetune', (192, 128), 2), ('own/transfer', (96, 64), 1)])
def test_size_and_window_are_those_of_the_training(name, size, window):
    cfg = load_config(name)
    assert (config_size(cfg), config_window(cfg)) == (size, window)


def test_where_a_config_says_nothing_or_cuts():
    assert (config_size(Config({})), config_window(Config({}))) == ((384, 256), 2)
    for said, window in ((dict(type='UnpairedClips', a='a', b='b'), 1), (dict(type='ClipWindows', root='a'), 2),
                         (dict(type='ClipWindows', root='a', window=3), 3), (dict(type='DirectedClips', a='a', b='b'), 2)):
        assert config_window(Config(dict(train_dataloader=dict(dataset=said)))) == window
    cut = dict(type='ClipWindows', size=(286, 286), transforms=[dict(type='RandomFlip'), dict(type='RandomCrop', size=(256, 256))])
    assert config_size(Config(dict(train_dataloader=dict(dataset=cut)))) == (256, 256)


def test_a_window_of_one_frame_costs_half_of_one_of_two():
    entries = {name: dict(networks=[f'net_{name}'], type='OptimWrapper', optimizer=dict(type='Adam', lr=1e-3)) for name in 'gd'}
    one, two = ({row.name: row for row in count_flops(build('Pix2Pix', **OPTIONS), entries, 32, 32, window)} for window in (1, 2))
    assert one['net_g'].macs > 0 and all(two[name].macs == 2 * one[name].macs for name in ('net_g', 'net_d'))
    assert one['net_g'].calls == two['net_g'].calls
