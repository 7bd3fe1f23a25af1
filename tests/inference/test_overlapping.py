"""Painting in overlapping stages: the same pictures as one frame after the other, and errors that arrive."""

import threading
from dataclasses import replace

import numpy as np
import pytest
import torch
from mmengine.config import Config

from toolkit import apis
from toolkit.clips.clip import Clip
from toolkit.inference.driving import frame_steps
from toolkit.inference.overlapping import paint_ahead
from toolkit.registry import MODELS
from toolkit.structures import InputError
from toolkit.synthetic.actions import SyntheticActions

SIZE = (96, 64)


@pytest.fixture(scope='module')
def people(tmp_path_factory):
    """A clip to drive and one to be driven, 7 frames of 192x128."""
    root = tmp_path_factory.mktemp('people')
    SyntheticActions(height=192, width=128, actors=4, actions=3, frames=7).write(
        root, actors=[0, 3], actions=[1], num_workers=1, progress=False)
    return [Clip(folder) for folder in sorted(root.iterdir())]


@pytest.fixture(scope='module')
def trained():
    torch.manual_seed(0)
    model = dict(
        type='VideoPix2PixHD', losses=dict(gan=dict(type='GANLoss')), feature_maps=dict(references=2, plate=True),
        generator=dict(type='BlendGenerator', generator=dict(type='GlobalGenerator', ngf=8, n_down=2, n_blocks=1)),
        discriminator=dict(type='MultiscaleDiscriminator', ndf=8, n_layers=2, num_scales=1))
    return apis.Trained(MODELS.build(model).eval(), Config(dict(model=model)), SIZE)


def looks(trained, people, **options):
    request = apis.Request(people[0].folder, people[1].folder, colors=apis.Colors(outfits=['#c03030,', ',#2040a0']), **options)
    return apis.choose(trained, request, 'unused', False)


def test_the_same_bits_as_one_frame_after_the_other(trained, people):
    chosen = looks(trained, people)
    given = (chosen.names, chosen.poses, SIZE, chosen.driving, chosen.style, chosen.extra)
    alone = [np.stack(list(trained.model.generate(frame_steps(*given, footage, 2), **opening)))
             for opening, footage in zip(chosen.openings, looks(trained, people).footage)]
    rows = list(apis.paint(trained, chosen))
    assert len(rows) == 7 and (alone[0] != alone[1]).any()
    np.testing.assert_array_equal(np.stack(rows, 1), np.stack(alone))


def test_all_looks_in_one_pass_of_the_network(trained, people, monkeypatch):
    apart = np.array(list(apis.paint(trained, looks(trained, people))), int)
    net, sizes = trained.model.net_g_ema, []
    monkeypatch.setattr(net, 'forward', lambda x, paint=net.forward: (sizes.append(len(x)), paint(x))[1])
    together = np.array(list(apis.paint(replace(trained, fast='looks in one pass'), looks(trained, people))), int)
    assert sizes == [2] * 7
    assert abs(together - apart).max() <= 1


def test_an_error_of_a_stage_reaches_the_caller_and_no_thread_stays():
    before, painted = threading.active_count(), []

    def steps():
        yield from ([number] for number in range(6))
        raise InputError('frame 6 is unreadable')

    stream = paint_ahead([lambda number: np.full((1, 1, 3), number, np.uint8)], steps())
    with pytest.raises(InputError, match='frame 6'):
        for row, _ in stream:
            painted.append(int(row[0][0, 0, 0]))
    assert painted == list(range(6))
    assert threading.active_count() == before
