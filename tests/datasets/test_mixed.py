from collections import Counter

import numpy as np
import pytest
import torch

from tests.datasets.test_windows import make_clip
from toolkit.datasets.mixed import MixedClips
from toolkit.engine.runner import TrainRunner
from toolkit.structures import InputError


@pytest.fixture
def roots(tmp_path, stick):
    for folder, names in (('rendered', ('a', 'b')), ('filmed', ('c',))):
        for name in names:
            make_clip(tmp_path / folder / name, stick)
    return tmp_path


def parts(roots, **options):
    return {name: dict(type='ClipWindows', root=str(roots / name), **options) for name in ('rendered', 'filmed')}


def test_items_come_from_each_data_set_in_its_share(roots):
    data = MixedClips(parts(roots), dict(rendered=3, filmed=1))
    assert len(data) == 15 and data.window == 2 and data.size == (64, 32) and len(data.clips) == 3
    drawn = Counter(data[i, draw]['clip'] for draw in range(40) for i in range(15))
    assert set(drawn) == {'rendered/a', 'rendered/b', 'filmed/c'} and .2 < drawn['filmed/c'] / 600 < .3
    item = data[3, 1]
    name, number = data.locate(3, 1)
    assert item['person'] == f'{name}/ann' and torch.equal(item['frames'], data.parts[name][number, 18]['frames'])


def test_an_item_depends_on_seed_draw_and_index_alone(roots):
    a, b, other = MixedClips(parts(roots)), MixedClips(parts(roots)), MixedClips(parts(roots), seed=1)
    assert [a.locate(i, 2) for i in range(15)] == [b.locate(i, 2) for i in reversed(range(15))][::-1]
    assert [a.locate(i, 2) for i in range(15)] != [other.locate(i, 2) for i in range(15)]
    with pytest.raises(IndexError, match='15 items, no number 15'):
        a[15]


def test_it_trains_through_a_data_loader_with_draws_and_the_seed_of_the_run(roots):
    transforms = [dict(type='ColorJitter')]
    config = dict(dataset=dict(type='MixedClips', datasets=parts(roots, transforms=transforms)), batch_size=2,
                  sampler=dict(type='DrawSampler'))
    loader = TrainRunner.build_dataloader(config, seed=4)
    assert loader.dataset.seed == loader.dataset.parts['filmed'].seed == 4 and loader.sampler.takes_draw
    batch = next(iter(loader))
    assert batch['frames'].shape == (2, 2, 3, 64, 32) and len(batch['person']) == 2
    again = next(iter(TrainRunner.build_dataloader(config, seed=4)))
    assert torch.equal(batch['frames'], again['frames']) and len(np.unique(batch['frames'])) > 4


def test_an_optional_data_set_without_clips_is_left_out_and_said(roots, monkeypatch):
    said = []
    monkeypatch.setattr('toolkit.datasets.mixed.print_log', lambda text, logger: said.append(text))
    missing = dict(parts(roots), mine=dict(type='ClipWindows', root=str(roots / 'mine')))
    assert set(MixedClips(missing, optional=['mine']).parts) == {'rendered', 'filmed'}
    assert len(said) == 1 and said[0].startswith('mine: there are no prepared clips in')
    with pytest.raises(InputError, match='no prepared clips'):
        MixedClips(missing)
    with pytest.raises(InputError, match='no data set is left of mine'):
        MixedClips(dict(mine=missing['mine']), optional=['mine'])


def test_what_cannot_be_mixed_is_refused(roots):
    both = parts(roots)
    for changed, options, said in (
            (dict(filmed=dict(both['filmed'], window=3)), {}, 'window differs .rendered has 2, filmed has 3'),
            ({}, dict(weights=dict(flimed=1)), 'weights names flimed'), ({}, dict(weights=dict(filmed=0)), 'above 0'),
            ({}, dict(optional=['x']), 'optional names x')):
        with pytest.raises(InputError, match=said):
            MixedClips({**both, **changed}, **options)


def test_a_batch_has_frames_of_one_size_with_the_share_of_that_size(roots):
    small = {f'small_{name}': dict(part, size=(32, 16)) for name, part in parts(roots).items()}
    config = dict(dataset=dict(type='MixedClips', datasets={**parts(roots), **small}, weights=dict(rendered=2)), batch_size=2,
                  sampler=dict(type='DrawSampler', shuffle=False))
    loader = TrainRunner.build_dataloader(config, seed=4)
    data = loader.dataset
    assert data.size is None and len(data) == 30
    batches = [batch['frames'].shape[-2:] for batch, _ in zip(loader, range(60), strict=False)]
    assert set(batches) == {(64, 32), (32, 16)} and .4 < batches.count((64, 32)) / 60 < .8
    names = [[data.locate(n % 30, n // 30)[0] for n in (2 * batch, 2 * batch + 1)] for batch in range(300)]
    assert all(len({name.startswith('small') for name in pair}) == 1 for pair in names)
    drawn = Counter(name for pair in names for name in pair)
    assert abs(drawn['rendered'] / 600 - .4) < .07 and abs(drawn['small_filmed'] / 600 - .2) < .07
    with pytest.raises(InputError, match='set sampler.shuffle=False'):
        TrainRunner.build_dataloader({**config, 'sampler': dict(type='DrawSampler', shuffle=True)}, seed=4)
