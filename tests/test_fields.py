"""One table says what every key of a sample, an item and a batch is, and everything follows it."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from toolkit import fields
from toolkit.datasets.tensors import collate
from toolkit.datasets.transforms import RandomCrop, RandomFlip, resize_image
from toolkit.datasets.windows import ClipWindows
from toolkit.metrics.parts import ClipParts
from toolkit.model_parts.preprocessor import VideoPreprocessor
from toolkit.structures import InputError

SIZES = dict(picture=(3, 96, 64), labels=(1, 96, 64), pose=(18, 3))


class Items:
    """A data set of others: whole items and nothing else."""

    def __init__(self, item):
        self.item = item

    def __getitem__(self, index):
        return self.item


@pytest.fixture(scope='module')
def item(clips):
    recolor = dict(type='RecolorGarments', keep=0)
    return ClipWindows(clips[0].folder.parent, window=None, transforms=[recolor])[0]


def test_the_table_describes_all_that_an_item_holds(item):
    for key, value in item.items():
        field, of = fields.find(key)
        if field.kind in ('code', 'meta'):
            continue
        size = (field.channels, 96, 64) if field.kind == 'map' else SIZES[field.kind]
        assert tuple(value.shape) == ((4,) if of == 'frame' else ()) + size
        assert value.dtype == (torch.float32 if field.kind == 'pose' else torch.uint8)
    described = {key for of in ('frame', 'content') for key, field in fields.entries(of) if field.source in ('stored', 'drawn')}
    assert described <= set(item), 'whatever is stored or drawn is in an item'


def test_ranges_at_a_network_follow_from_the_kind(item):
    item = {**item, 'theirs': torch.full((4, 1, 96, 64), 255, dtype=torch.uint8), 'words': 'passed on'}
    batch = VideoPreprocessor()(collate([item]))
    assert set(batch) == set(item) and batch['words'] == ['passed on'] and batch['theirs'].max() == 1
    for key, value in batch.items():
        kind = fields.kind_of(key)
        if kind == 'picture':
            assert value.min() < 0 and value.max() <= 1
        elif kind == 'map':
            assert value.min() >= 0 and value.max() <= 1
        elif kind == 'labels':
            assert value.dtype == torch.uint8


def test_what_belongs_to_frames_is_cut_with_them(item):
    first, second = ClipParts(Items(item), 0, length=3)
    for key, whole in item.items():
        if fields.is_per_frame(key):
            np.testing.assert_array_equal(torch.cat([first[key], second[key]], 1)[0], whole)
        elif torch.is_tensor(whole):
            assert torch.equal(first[key][0], whole) and torch.equal(second[key][0], whole)
    assert tuple(first['garment_colors'].shape) == (1, 3, 2, 2)
    with pytest.raises(InputError, match="'theirs' has 4 entries, as many as there are frames, and no field describes it"):
        next(iter(ClipParts(Items({**item, 'theirs': torch.zeros(4)}), 0, length=3)))
    assert tuple(next(iter(ClipParts(Items({**item, 'theirs': torch.zeros(5)}), 0)))['theirs'].shape) == (1, 5)


@pytest.mark.parametrize('move', [RandomFlip(1), RandomCrop(1.2)])
def test_a_picture_that_would_stay_behind_is_refused(clips, move):
    def add(sample, rng):
        return dict(sample, depth=np.zeros(sample['frames'].shape[:3], np.uint8))

    root = clips[0].folder.parent
    assert ClipWindows(root, transforms=[move, add])[0]['depth'].shape == (2, 96, 64)
    with pytest.raises(InputError, match="'depth' was added by an earlier transform .* before the one that adds it"):
        ClipWindows(root, transforms=[add, move])[0]


@pytest.mark.parametrize('cache', ['none', 'decoded'])
def test_resizing_follows_the_kind(clips, cache):
    clip = clips[0]
    item = ClipWindows(clip.folder, window=None, content=1, size=(61, 41), cache=cache)[0]
    np.testing.assert_array_equal(item['content_parts'][0], resize_image(clip.parts(1), 61, 41, labels=True))
    np.testing.assert_array_equal(item['content_mask'][0], resize_image(clip.mask_u8(1), 61, 41))
    np.testing.assert_array_equal(item['edges'][2, 0], resize_image(clip.edge_u8(2), 61, 41))
    assert not np.array_equal(item['content_parts'][0], resize_image(clip.parts(1), 61, 41)), 'averaged labels would be other ones'


def test_a_field_of_the_toolkit_is_known_before_any_model_is():
    code = "from toolkit import fields; print(fields.added(['body_parts'])[0].kind)"
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert done.stdout == 'labels\n', done.stderr
