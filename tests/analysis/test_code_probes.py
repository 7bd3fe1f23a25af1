"""Encoders that know all or nothing, and generators that obey or do not listen."""

from copy import copy
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from toolkit.analysis import code_probes
from toolkit.analysis.code_probes import encoder_of, interpolated_pictures, probe_encoder, probe_pictures
from toolkit.analysis.frame_bank import FrameBank
from toolkit.colors.lab_uint8 import lab_to_rgb8, rgb8_to_lab
from toolkit.datasets.windows import ClipWindows
from toolkit.metrics.color_control import region_mean
from toolkit.model_parts.preprocessor import VideoPreprocessor
from toolkit.region_encoders.region_encoder import RegionEncoder
from toolkit.structures import InputError
from toolkit.synthetic.actions import SyntheticActions


@pytest.fixture(scope='module')
def banks(tmp_path_factory):
    root = tmp_path_factory.mktemp('probes')
    SyntheticActions(96, 64, actors=13, actions=16, frames=8).write(root, actors=[0, 1], actions=[0, 1], num_workers=1, progress=False)
    actions = sorted({clip.action for clip in ClipWindows(root, window=1).clips})
    return [FrameBank(ClipWindows(root, window=1, actions=[action]), 16) for action in actions]


def oracle(place):
    """Lab means of a garment, read off the pictures."""

    def encode(bank, frames):
        mu = region_mean(rgb8_to_lab(frames), bank.weights[place])
        return mu, np.full(mu.shape, -9.0)

    return encode


def test_an_encoder_that_reads_its_garment(banks):
    values, points = probe_encoder(oracle(0), *banks, 'up')
    assert values['r2_mu'] > 0.99 and values['r2_z'] > 0.99 and values['r2_both'] > 0.99 and values['hue'] > 0.99
    assert values['r2_other'] < 0.3 and values['r2_shuffled'] < 0.2 and values['sigma'] == pytest.approx(np.exp(-4.5))
    assert points.mu.shape == (16, 3) and points.colors.shape == (16, 2) and values['person_chance'] == 0.5


def test_an_encoder_that_reads_the_other_garment(banks):
    values, _ = probe_encoder(oracle(0), *banks, 'down')
    assert values['r2_mu'] < 0.3 and values['r2_other'] > 0.99 and values['person'] > 0.9, 'its own clothes give a person away'


def test_an_encoder_that_reads_nothing(banks):
    def encode(bank, frames):
        return np.random.default_rng(len(frames)).normal(size=(len(bank), 2)), np.zeros((len(bank), 2))

    values, _ = probe_encoder(encode, *banks, 'up')
    assert max(values[name] for name in ('r2_mu', 'r2_z', 'r2_both', 'r2_other', 'pose')) < 0.3
    values, _ = probe_encoder(lambda bank, frames: (np.zeros((len(bank), 2)), np.zeros((len(bank), 2))), *banks, 'up', sampled=False)
    assert 'r2_z' not in values and 'nats' not in values and values['dcor'] == 0


def test_persons_that_training_does_not_show_are_not_asked_for(banks):
    train, test = banks
    strangers, some = copy(test), copy(test)
    strangers.persons = ['nobody'] * len(test)
    some.persons = ['nobody' if n % 2 else name for n, name in enumerate(test.persons)]
    assert np.isnan(probe_encoder(oracle(0), train, strangers, 'down')[0]['person']), 'not 0, which would be perfect'
    assert probe_encoder(oracle(0), train, some, 'down')[0]['person'] > 0.9


def test_footage_of_upper_bodies(banks, monkeypatch):
    for bank in banks:
        monkeypatch.setattr(bank, 'weights', bank.weights * np.array([1, 0], np.uint8)[:, None, None, None])
    values, _ = probe_encoder(oracle(0), *banks, 'up')
    assert values['r2_mu'] > 0.99 and np.isnan(values['r2_both']) and np.isnan(values['r2_other'])
    with pytest.raises(InputError, match='the lower garment is seen in 0 of 16 training frames, codes need at least 8'):
        probe_encoder(oracle(1), *banks, 'down')


def test_codes_can_be_standardized(banks):
    torch.manual_seed(0)
    encoder = RegionEncoder(dict(type='ResNetEncoder', nz=3, nef=4, n_down=3)).eval()
    mean, std = torch.tensor([1., 2, 3]), torch.tensor([.5, 1, 2])
    (mu, logvar), (z, z_logvar) = (encoder_of(encoder, VideoPreprocessor(), *p)(banks[0], banks[0].frames) for p in ((), (mean, std)))
    np.testing.assert_allclose(z, (mu - mean.numpy()) / std.numpy(), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(z_logvar, logvar - 2 * np.log(std.numpy()), rtol=1e-4, atol=1e-5)


class FlatPainter:
    """Stands in for a model of stage I: a picture of one color, that of its code (L, a, b), or always gray."""

    data_preprocessor = VideoPreprocessor()
    encoder = SimpleNamespace(region='up')

    def __init__(self, obeys):
        self.obeys = obeys

    def frames_of(self, batch):
        return SimpleNamespace(features=batch['frames'], regions=None)

    def decode(self, features, z, regions):
        lab = z.numpy() if self.obeys else np.broadcast_to([50., 0, 0], (len(features), 3))
        flat = torch.from_numpy(lab_to_rgb8(lab)).float() / 127.5 - 1
        return flat[:, :, None, None].expand(-1, -1, *features.shape[-2:])


@pytest.fixture
def known_codes(monkeypatch):
    monkeypatch.setattr(code_probes, 'encoder_of', lambda *_: oracle(0))


def test_a_generator_that_obeys(known_codes, banks):
    values = probe_pictures(FlatPainter(True), banks[0])
    assert values['swap_de'] < 1 and values['swap_dab'] < 1 < values['swap_blind'] and values['monotone'] == 1
    assert values['inside'] > 0.05 and values['outside'] == pytest.approx(values['inside'], rel=0.5), 'it leaks everywhere'


def test_a_generator_that_does_not_listen(known_codes, banks):
    values = probe_pictures(FlatPainter(False), banks[0])
    assert values['inside'] == values['outside'] == values['monotone'] == 0
    assert values['swap_dab'] > 0.9 * values['swap_blind']


def test_strips_begin_and_end_with_the_donors(known_codes, banks):
    for label, first, painted, last in interpolated_pictures(FlatPainter(True), banks[0], rows=4, steps=3):
        assert label in ('own codes', "others' codes") and len(painted) == 3 and painted[0].shape == first.shape == last.shape
        assert (painted[0][0, 0] != painted[-1][0, 0]).any() and (painted[0] == painted[0][0, 0]).all()
