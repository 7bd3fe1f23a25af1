"""The size of clips that was not asked for: from the people's ranges and the videos' shapes, one for all."""

import numpy as np
import pytest

from toolkit.clips.clip import Clip
from toolkit.clips.crop import person_range
from toolkit.clips.size import PIXELS, Range, check_shape, choose_size, folder_size, sizes, smaller_size
from toolkit.datasets.windows import ClipWindows
from toolkit.preparing.prepare import prepare_video
from toolkit.structures import InputError


def walking(stick, start, stop, rows, columns, size=120):
    poses = np.stack([stick(x, 150, size) for x in np.linspace(start, stop, 30)])
    return Range(rows, columns, *person_range(poses, rows, columns))


def test_sizes_are_multiples_with_about_as_many_pixels():
    for height, width in sizes(PIXELS, 32):
        assert height % 32 == width % 32 == 0 and abs(height * width / PIXELS - 1) <= .125 and .5 <= height / width <= 2
    assert (384, 256) in sizes(PIXELS, 32) and (256, 384) in sizes(PIXELS, 32)
    assert sizes(PIXELS, 300) == [(300, 300)]


def test_somebody_who_moves_about_in_a_landscape_video_gets_a_landscape_clip(stick):
    found = walking(stick, 150, 1130, 720, 1280)
    height, width = choose_size([found], 32)
    assert width > height
    crop = found.crop(height, width)
    assert crop.padding(720, 1280) == 0 and crop.w / crop.h == pytest.approx(width / height, rel=.01)
    assert found.crop(384, 256).padding(720, 1280) > .3, 'what a portrait clip would show'


def test_somebody_who_stands_gets_a_portrait_clip_and_both_get_what_suits_both(stick):
    still, moving = walking(stick, 640, 640, 720, 1280), walking(stick, 150, 1130, 720, 1280)
    assert choose_size([still], 32)[0] > choose_size([still], 32)[1]
    both = choose_size([still, moving], 32)
    assert both == choose_size([moving, still], 32)
    assert all(item.crop(*both).padding(720, 1280) == 0 for item in (still, moving))


@pytest.mark.parametrize('rows, columns', [(1080, 1920), (1920, 1080), (480, 640), (500, 500)])
def test_no_border_for_a_person_inside_the_picture(stick, rows, columns):
    size = rows / 6
    poses = np.stack([stick(x, 1.2 * size, size) for x in np.linspace(.8 * size, columns - .8 * size, 30)])
    found = Range(rows, columns, *person_range(poses, rows, columns))
    assert found.crop(*choose_size([found], 32)).padding(rows, columns) < .01


def test_a_given_window_grows_to_the_shape_of_the_clip():
    found = Range(720, 1280, window=(100, 50, 600, 300))
    crop = found.crop(*choose_size([found], 32))
    assert crop.x <= 100 and crop.x + crop.w >= 700 and crop.y <= 50 and crop.y + crop.h >= 350
    assert crop.w / crop.h == pytest.approx(crop.width / crop.height, rel=.01) and crop.w * crop.h < 1.1 * 600 * 300


def test_clips_take_the_size_of_their_folder(people, tmp_path):
    parts = people.Pose(), people.Edges(), people.Mask()
    wide = people.write(tmp_path / 'wide.mp4', [people.draw(144, 256, 40 + 6 * t, 30, 28) for t in range(30)])
    tall = people.write(tmp_path / 'tall.mp4', [people.draw(256, 144, 70, 60, 40)] * 5)
    first = prepare_video(wide, tmp_path / 'a', *parts, min_person=10)
    assert first.width > first.height and first.manifest['report']['padding'] < .01
    second = prepare_video(tall, tmp_path / 'a', *parts, min_person=10)
    assert (second.height, second.width) == (first.height, first.width) == folder_size(tmp_path / 'a')
    alone = prepare_video(tall, tmp_path / 'b', *parts, min_person=10)
    assert alone.height > alone.width
    assert prepare_video(wide, tmp_path / 'a', *parts, min_person=10).manifest == first.manifest, 'finished clips are as they are'
    prepare_video(tall, tmp_path / 'a', *parts, height=64, width=64, name='other', min_person=10)
    with pytest.raises(InputError, match='different sizes.*other is 64x64.*--size'):
        prepare_video(wide, tmp_path / 'a', *parts, min_person=10, name='third')
    assert isinstance(Clip(tmp_path / 'a' / 'wide'), Clip)


def test_a_clip_that_got_another_name_counts_when_its_first_name_is_made_again(people, tmp_path):
    path = people.write(tmp_path / 'me.mp4', [people.draw(256, 144, 70, 60, 40)] * 5)
    clip = prepare_video(path, tmp_path / 'a', people.Pose(), people.Edges(), people.Mask(), height=64, width=96, min_person=10)
    clip.folder.rename(tmp_path / 'a' / 'kept')
    assert folder_size(tmp_path / 'a', ['me']) == (64, 96) and folder_size(tmp_path / 'a', ['kept']) is None


def test_smaller_sizes_keep_the_shape():
    assert smaller_size(384, 256, 192 * 128) == (192, 128) and smaller_size(256, 384, 192 * 128) == (128, 192)
    assert smaller_size(320, 320, 192 * 128) == (160, 160) and smaller_size(96, 64, 192 * 128) == (96, 64)


def test_what_is_prepared_by_default_is_not_squeezed_when_it_is_made_smaller():
    for pixels, multiple in ((192 * 128, 16), (96 * 64, 8)):
        for height, width in sizes(PIXELS, 32):
            h, w = smaller_size(height, width, pixels, multiple)
            assert h * width == w * height and .8 < h * w / pixels < 1.25


def test_windows_take_the_shape_of_their_clips(people, tmp_path):
    parts = people.Pose(), people.Edges(), people.Mask()
    path = people.write(tmp_path / 'wide.mp4', [people.draw(144, 256, 40 + 6 * t, 30, 28) for t in range(8)])
    prepare_video(path, tmp_path / 'a', *parts, height=128, width=192, min_person=10)
    assert ClipWindows(tmp_path / 'a').size == (128, 192) and ClipWindows(tmp_path / 'a', size=(64, 64)).size == (64, 64)
    windows = ClipWindows(tmp_path / 'a', pixels=96 * 64)
    assert windows.size == (64, 96) and windows[0]['frames'].shape[-2:] == (64, 96)


def test_a_clip_of_another_shape_is_refused_not_squeezed(clips):
    for size in ((96, 64), (192, 128), (384, 256)):
        check_shape(clips[0], size)
    with pytest.raises(InputError, match='96x64.*64x96.*--size 64x96'):
        check_shape(clips[0], (64, 96))
