"""Pictures as phones, cameras and browsers write them: HEIC, AVIF, animations, missing numbers, 12 bits, huge ones."""

import struct
import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms, features

from toolkit.preparing.prepare import prepare_video
from toolkit.structures import InputError
from toolkit.video.io import read_video, video_info
from toolkit.video.picture_file import read_picture
from toolkit.video.pictures import frame_numbers, natural_key
from toolkit.video.sampling import sample_frames


def person(height=600, width=400):
    """Left half red, right half blue, a green band at the top."""
    frame = np.zeros((height, width, 3), np.uint8)
    frame[:, :width // 2, 0] = frame[:, width // 2:, 2] = 200
    frame[:height // 10] = (0, 200, 0)
    return frame


def orientation(turn):
    exif = Image.Exif()
    exif[0x0112] = turn
    return exif


@pytest.mark.parametrize('name', ['a.heic', 'a.mp4'])
def test_heic_is_read_whole(tmp_path, name):
    pillow_heif = pytest.importorskip('pillow_heif', reason='needs pillow-heif (extra heif)')
    whole = person(1100, 1300)
    pillow_heif.from_pillow(Image.fromarray(whole)).save(tmp_path / 'a.heic', quality=95, tile_size=512)  # as phones write it
    (tmp_path / 'a.heic').rename(tmp_path / name)
    reader = read_video(tmp_path / name)
    frame, _ = next(iter(reader))
    assert frame.shape == (reader.height, reader.width, 3) == whole.shape and np.abs(frame.astype(int) - whole).mean() < 4


@pytest.mark.parametrize('turn, turns', [(1, 0), (3, 2), (6, 3), (8, 1)])
@pytest.mark.parametrize('suffix', ['jpg', 'avif'])
def test_pictures_stand_upright(tmp_path, suffix, turn, turns):
    if suffix == 'avif' and not features.check('avif'):
        pytest.skip('this Pillow has no AVIF')
    path = tmp_path / f'a.{suffix}'
    Image.fromarray(person()).save(path, exif=orientation(turn), quality=95)
    frame, _ = next(iter(read_video(path)))
    expected = np.rot90(person(), turns)
    assert frame.shape == expected.shape and np.abs(frame.astype(int) - expected).mean() < 6


@pytest.fixture(scope='module')
def display_p3():
    """A profile of Display P3, as telephones embed it: the primaries of sRGB's profile exchanged."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile('sRGB')).tobytes())
    for i in range(struct.unpack_from('>I', profile, 128)[0]):
        tag, at, _ = struct.unpack_from('>4sII', profile, 132 + 12 * i)
        if xyz := {b'rXYZ': (.51512, .24120, -.00105), b'gXYZ': (.29198, .69225, .04189), b'bXYZ': (.15710, .06657, .78407)}.get(tag):
            struct.pack_into('>3i', profile, at + 8, *(round(65536 * v) for v in xyz))
    return bytes(profile)


@pytest.mark.parametrize('suffix', ['jpg', 'png', 'webp', 'avif', 'heic'])
def test_colors_of_a_profile_become_those_of_srgb(tmp_path, display_p3, suffix):
    if suffix == 'heic':
        pytest.importorskip('pillow_heif', reason='needs pillow-heif (extra heif)').register_heif_opener()
    if suffix == 'avif' and not features.check('avif'):
        pytest.skip('this Pillow has no AVIF')
    path, turn = tmp_path / f'a.{suffix}', 1 if suffix == 'heic' else 6  # in HEIC it is not EXIF that turns
    Image.new('RGB', (48, 32) if turn == 1 else (32, 48), (200, 60, 30)).save(
        path, icc_profile=display_p3, exif=orientation(turn), quality=95)
    reader = read_video(path)
    frame, _ = next(iter(reader))
    assert frame.shape == (32, 48, 3) and np.abs(frame[16, 16].astype(int) - (218, 42, 0)).max() <= 4 and reader.notes == []


def test_colors_of_a_profile_in_sixteen_bits(tmp_path, display_p3):
    cv2.imwriteWithMetadata(
        str(tmp_path / 'a.png'), np.full((8, 8, 3), (30, 60, 200), np.uint16) * 257, [cv2.IMAGE_METADATA_ICCP],
        [np.frombuffer(display_p3, np.uint8)])
    frame, _ = next(iter(read_video(tmp_path / 'a.png')))
    assert np.abs(frame[4, 4].astype(int) - (218, 42, 0)).max() <= 2


def test_a_broken_profile_is_left_out_and_said(tmp_path):
    for i in range(3):
        Image.new('RGB', (8, 8), (200, 60, 30)).save(tmp_path / f'{i}.png', icc_profile=b'no profile')
    reader = read_video(tmp_path)
    assert [frame[4, 4].tolist() for frame, _ in reader] == [[200, 60, 30]] * 3
    assert reader.notes == ['a color profile cannot be used, so the colors were taken as sRGB']


def cut_out():
    """A green square, half transparent below, on red that is not to be seen."""
    picture = np.zeros((16, 16, 4), np.uint8)
    picture[..., :3], picture[4:12, 4:12] = (255, 0, 0), (0, 200, 0, 255)
    picture[8:12, 4:12, 3] = 128
    return picture


@pytest.mark.parametrize('name', ['a.png', 'a.tif', 'a.webp', 'deep.png', 'palette.png', 'moving.png'])
def test_transparent_places_are_white_and_said(tmp_path, name):
    path, picture = tmp_path / name, cut_out()
    image = Image.fromarray(picture)
    if name == 'deep.png':
        cv2.imwrite(str(path), picture[..., [2, 1, 0, 3]].astype(np.uint16) * 257)
    elif name == 'moving.png':
        image.save(path, save_all=True, append_images=[Image.fromarray(picture[::-1].copy())])
    else:
        (image.quantize() if name == 'palette.png' else image).save(path, **(dict(lossless=True) if name == 'a.webp' else {}))
    reader = read_video(path)
    frame, _ = next(iter(reader))
    assert frame[0, 0].tolist() == [255, 255, 255] and frame[5, 5].tolist() == [0, 200, 0]
    assert np.abs(frame[10, 10].astype(int) - (127, 227, 127)).max() <= 1
    assert reader.notes == ['transparent places were made white']


def test_an_opaque_picture_with_alpha_is_not_noted(tmp_path):
    picture = cut_out()
    picture[..., 3] = 255
    Image.fromarray(picture).save(tmp_path / 'a.png')
    reader = read_video(tmp_path / 'a.png')
    np.testing.assert_array_equal(next(iter(reader))[0], picture[..., :3])
    assert reader.notes == []


def test_names_with_raised_digits_have_an_order():
    assert sorted(['10²3.png', '9.png', '10.png'], key=natural_key) == ['9.png', '10.png', '10²3.png']


def test_heic_without_its_package_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'pillow_heif', None)
    Image.init()
    monkeypatch.setattr(Image, 'ID', [kind for kind in Image.ID if kind != 'HEIF'])
    (tmp_path / 'a.heic').write_bytes(b'\0\0\0\x18ftypheic\0\0\0\0mif1heic' + bytes(200))
    with pytest.raises(InputError, match=r'a.heic: a picture in HEIC.*human-video-toolkit\[heif\].*convert'):
        read_video(tmp_path / 'a.heic')


def moving(n, size=32):
    frames = [np.zeros((size, size, 3), np.uint8) for _ in range(n)]
    for i, frame in enumerate(frames):
        frame[:, 2 * i:2 * i + 4] = (250, 20 * i, 0)
    return frames


@pytest.mark.parametrize('name, options', [('a.webp', dict(lossless=True)), ('a.png', {})])
def test_animated_pictures_are_read_whole(tmp_path, name, options):
    frames = moving(12)
    first, *others = map(Image.fromarray, frames)
    first.save(tmp_path / name, save_all=True, append_images=others, duration=[40, 40, 80] + [40] * 9, **options)
    reader = read_video(tmp_path / name)
    np.testing.assert_array_equal([frame for frame, _ in reader], frames)
    np.testing.assert_allclose([t for _, t in reader], np.array([0, 40, 80, *range(160, 520, 40)]) / 1000)
    info = video_info(tmp_path / name)
    assert (info.num_frames, info.fps, info.height, info.width) == (12, 25, 32, 32) and info.codec in ('webp', 'apng')
    assert next(iter(read_video(tmp_path / name, max_side=16)))[0].shape == (16, 16, 3)


@pytest.mark.parametrize('name', ['a.webp', 'a.png', 'a.gif'])
def test_a_delay_of_zero_is_a_tenth_of_a_second(tmp_path, name):
    first, *others = map(Image.fromarray, moving(5))
    first.save(tmp_path / name, save_all=True, append_images=others, duration=10 * (name == 'a.webp'))
    reader = read_video(tmp_path / name)
    assert reader.fps == 10 and reader.num_frames == 5
    np.testing.assert_allclose([t for _, t in reader], np.arange(5) / 10, atol=1e-3)


def test_transparent_places_of_an_animation_show_the_frame_below_or_white(tmp_path):
    layers = [np.zeros((8, 8, 4), np.uint8) for _ in range(2)]
    layers[0][:4] = (200, 0, 0, 255)
    layers[1][4:6] = (0, 0, 200, 255)
    first, second = map(Image.fromarray, layers)
    first.save(tmp_path / 'a.png', save_all=True, append_images=[second], duration=100, blend=1, disposal=0)
    one, two = (frame for frame, _ in read_video(tmp_path / 'a.png'))
    assert one[0, 0].tolist() == two[0, 0].tolist() == [200, 0, 0] and two[5, 0].tolist() == [0, 0, 200]
    assert one[7, 7].tolist() == two[7, 7].tolist() == [255, 255, 255]


def test_missing_numbers_leave_gaps(tmp_path):
    kept = [i for i in range(30) if i not in (8, 9, 20)]
    for i in kept:
        cv2.imwrite(str(tmp_path / f'frame_{i + 1}.png'), np.full((8, 8, 3), i, np.uint8))
    reader = read_video(tmp_path, fps=10)
    with pytest.warns(UserWarning, match='3 pictures are missing'):
        chosen = list(sample_frames(reader, numbers=reader.numbers()))
    assert [i for _, _, i in chosen] == [int(frame[0, 0, 0]) for frame, _, _ in chosen] == kept
    np.testing.assert_allclose([t for _, t, _ in chosen], np.array(kept) / 10)
    info = video_info(reader)
    assert info.gaps == (8, 18) and info.sample_rate is None and reader.problems


def test_pictures_that_cannot_be_frames_of_one_video_are_named_before_any_work(tmp_path):
    for i in range(20):
        cv2.imwrite(str(tmp_path / f'{i}.png'), np.zeros((8, 8, 3), np.uint8))
    assert read_video(tmp_path).num_frames == 20
    cv2.imwrite(str(tmp_path / '13.png'), np.zeros((8, 9, 3), np.uint8))
    with pytest.raises(InputError, match=r'13.png: picture is 9x8 \(width x height\), but 0.png is 8x8; all pictures.*one size'):
        read_video(tmp_path)
    (tmp_path / '13.png').write_bytes(b'')
    with pytest.raises(InputError, match='13.png: not a readable picture'):
        read_video(tmp_path)


def test_a_moment_that_is_there_twice_does_not_halve_the_speed(tmp_path):
    """As where frames were made as JPEG, and then as PNG, in one folder."""
    for name in ('0.jpg', '1.jpg', '2.jpg', '0.png', '1.png', '2.png'):
        cv2.imwrite(str(tmp_path / name), np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(InputError, match=r'holds 0.jpg and 0.png, which would be two frames; leave one kind'):
        read_video(tmp_path)


def test_a_folder_of_pictures_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    def refused(folder):
        raise PermissionError(13, 'Permission denied')

    monkeypatch.setattr(Path, 'iterdir', refused)
    with pytest.raises(InputError, match=r'the folder cannot be read \(Permission denied\); check permissions'):
        read_video(tmp_path)


@pytest.mark.parametrize('names, expected', [
    (['f1', 'f2', 'f4', 'f5'], [0, 1, 3, 4]), (['f0', 'f5', 'f10', 'f20'], [0, 1, 2, 4]), (['f1', 'f2', 'f10'], [0, 1, 2]),
    (['0007', '0008', '0011'], [0, 1, 2]), (['a', 'b', 'c'], [0, 1, 2]), (['a1', 'a2', 'b4', 'b5'], [0, 1, 2, 3]), (['x9'], [0]),
    (['t100', 't133', 't167', 't200'], [0, 1, 2, 3]), (['f1_rgb', 'f2_rgb', 'f4_rgb', 'f5_rgb'], [0, 1, 3, 4])])
def test_what_counts_as_a_sequence_of_numbers(names, expected):
    assert frame_numbers([f'{name}.png' for name in names]) == expected


@pytest.mark.parametrize('suffix', ['png', 'tif'])
def test_twelve_bits_in_sixteen_are_not_dark(tmp_path, suffix):
    for i in range(3):
        cv2.imwrite(str(tmp_path / f'{i}.{suffix}'), (person(60, 40)[..., ::-1].astype(np.uint16) * 16) * (i > 0))
    reader = read_video(tmp_path)
    frames = [frame for frame, _ in reader]
    np.testing.assert_array_equal(frames[1], person(60, 40))
    assert not frames[0].any() and any('12 bits' in note for note in reader.notes)


def test_sixteen_bits_are_read_as_before(tmp_path):
    cv2.imwrite(str(tmp_path / 'a.png'), person(60, 40)[..., ::-1].astype(np.uint16) * 257)
    reader = read_video(tmp_path / 'a.png')
    np.testing.assert_array_equal(next(iter(reader))[0], person(60, 40))
    assert not reader.notes


def test_a_huge_picture_is_refused_by_its_head(tmp_path):
    def chunk(kind, data):
        return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))

    for name, side in (('a.png', 12000), ('b.png', 30000)):
        head = struct.pack('>IIBBBBB', side, side, 8, 2, 0, 0, 0)
        pixels = zlib.compress(bytes(1000))
        (tmp_path / name).write_bytes(b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', head) + chunk(b'IDAT', pixels) + chunk(b'IEND', b''))
        with pytest.raises(InputError, match=f'{name}: .*too large'):
            read_video(tmp_path / name)


@pytest.mark.parametrize('suffix', ['avif', 'heic', 'webp', 'png'])
def test_damaged_pictures_are_an_error_of_one_kind(tmp_path, suffix):
    """Each decoder has its own kinds of errors for damage; users see one."""
    if suffix == 'heic':
        pytest.importorskip('pillow_heif', reason='needs pillow-heif (extra heif)').register_heif_opener()
    if suffix == 'avif' and not features.check('avif'):
        pytest.skip('this Pillow has no AVIF')
    rng = np.random.default_rng(0)
    whole, path, refused = tmp_path / f'whole.{suffix}', tmp_path / f'a.{suffix}', 0
    Image.fromarray(rng.integers(0, 255, (64, 64, 3), np.uint8)).save(whole)
    for _ in range(60):
        data = bytearray(whole.read_bytes())
        for at in rng.integers(0, min(len(data), 400), 4):
            data[at] = rng.integers(256)
        path.write_bytes(data[:rng.integers(200, len(data))])
        try:
            list(read_video(path))
        except InputError as error:
            refused += str(error).startswith(f'{path}: ')
    assert refused > 30


def test_the_report_says_what_was_done_to_the_pictures(tmp_path, people):
    """Twelve bits in sixteen, and two pictures missing."""
    (tmp_path / 'walk').mkdir()
    for t in range(30):
        if t not in (10, 11):
            frame = people.draw(240, 320, 120 + 2 * t, 60, 40)[..., ::-1].astype(np.uint16) * 16
            cv2.imwrite(str(tmp_path / 'walk' / f'{t:03d}.png'), frame)
    clip = prepare_video(tmp_path / 'walk', tmp_path / 'out', people.Pose(), people.Edges(), people.Mask(), 96, 64)
    report = clip.manifest['report']
    assert len(clip) == 28 and any('12 bits' in note for note in report['notes'])
    assert any('2 pictures are missing' in text for text in report['warnings']) and report['dropped'] == [10]


@pytest.mark.parametrize('name', ['a.gif', 'a.png'])
def test_an_animation_that_is_cut_off_gives_what_there_is(tmp_path, name):
    rng = np.random.default_rng(0)
    first, *others = (Image.fromarray(rng.integers(0, 255, (32, 32, 3), np.uint8)) for _ in range(10))
    first.save(tmp_path / name, save_all=True, append_images=others, duration=40)
    data = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(data[:len(data) // 2])
    reader = read_video(tmp_path / name)
    with pytest.warns(UserWarning, match='truncated: ends before frame'):
        frames = list(reader)
    assert 3 <= len(frames) == reader.num_frames <= 6 and 'truncated' in reader.problems[0]


@pytest.mark.parametrize('most', [127, 255, 1023, 65535])
def test_a_ppm_is_as_bright_as_its_largest_value_says(tmp_path, most):
    """Ten bits were almost black, seven half as bright."""
    picture = np.random.default_rng(0).integers(0, 256, (6, 4, 3))
    values = np.rint(picture / 255 * most).astype('>u2' if most > 255 else 'u1')
    (tmp_path / 'a.ppm').write_bytes(b'P6\n4 6\n%d\n' % most + values.tobytes())
    assert np.abs(read_picture(tmp_path / 'a.ppm').astype(int) - picture).max() <= (1 if most != 255 else 0)


@pytest.mark.parametrize('suffix, shape', [('.jpe', (64, 48)), ('.mpo', (64, 48)), ('.mp4', (48, 64)), ('', (48, 64))])
def test_a_jpeg_of_a_camera_is_read_whatever_it_is_called(tmp_path, suffix, shape):
    """Its EXIF says that it is turned, which FFmpeg does not look at; PyAV stumbled over it."""
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.full((48, 64, 3), 120, np.uint8)).save(tmp_path / 'a.jpg', exif=exif)
    (tmp_path / 'a.jpg').rename(tmp_path / f'photo{suffix}')
    frame, _ = next(iter(read_video(tmp_path / f'photo{suffix}')))
    assert frame.shape[:2] == shape and abs(int(frame.mean()) - 120) <= 2
