import numpy as np
import pytest

from toolkit.synthetic.actors import DARKEST_SHIRT, make_actor
from toolkit.synthetic.body import Profile, Tube
from toolkit.synthetic.camera import Camera
from toolkit.synthetic.canvas import Canvas, shading
from toolkit.synthetic.choreography import parameters
from toolkit.synthetic.clothes import Cloth, periodic_noise
from toolkit.synthetic.renderer import Renderer


def gray(height=64, width=48):
    return Canvas(np.full((height, width, 3), 100, np.float32), 1.0)


def test_camera_centers_the_person_and_scales():
    camera = Camera(384, 256)
    assert camera.project(np.array([0, 1.0, 0])) == pytest.approx((127.5, 218, 134))
    x, _, scale = camera.project(np.array([0.5, 1.0, 1.0]))
    assert scale == pytest.approx(670 / 4) and x == pytest.approx(127.5 + 670 / 8)
    small = Camera(96, 64).project(np.array([0.3, 0.2, 0.1]))
    large = camera.project(np.array([0.3, 0.2, 0.1]))
    assert (np.array(large[:2]) + 0.5) / 4 - 0.5 == pytest.approx(np.array(small[:2]))


def test_noise_is_named_by_the_frame_and_not_by_the_call():
    camera = Camera(48, 32, (0, 1))
    pictures = [camera.develop(np.full((48, 32, 3), 128, np.float32), key) for key in ((1, 2, 3), (1, 2, 4), (1, 2, 3))]
    assert np.array_equal(pictures[0], pictures[2]) and not np.array_equal(pictures[0], pictures[1])


def test_paint_replaces_color_where_alpha_is_one():
    canvas = gray()
    alpha = np.zeros((10, 10), np.float32)
    alpha[2:8, 2:8] = 1
    alpha[0, 0] = 0.25
    canvas.paint((5, 5, 15, 15), np.full((10, 10, 3), 200, np.float32), alpha, 3, contact=0)
    assert (canvas.color[7:13, 7:13] == 200).all() and (canvas.color[20:] == 100).all()
    assert canvas.color[5, 5, 0] == pytest.approx(125)
    assert canvas.coverage[5, 5] == 0.25 and (canvas.parts == 3).sum() == 36
    assert np.array_equal(canvas.coverage > 0.5, canvas.parts > 0)


def test_contact_shadow_falls_on_the_body_only():
    canvas = gray()
    canvas.coverage[:, :20] = 1
    alpha = np.zeros((20, 20), np.float32)
    alpha[:, 8:12] = 1
    canvas.paint((10, 10, 30, 30), np.full((20, 20, 3), 200, np.float32), alpha, 1)
    assert canvas.color[20, 17, 0] < 95 and canvas.color[20, 23, 0] == pytest.approx(100, abs=1e-3)


def test_light_comes_from_the_upper_left():
    axis = np.array([-1.0, 1.0, 0.0, 0.0], np.float32), np.array([0.0, 0.0, -1.0, 1.0], np.float32)
    left, right, top, bottom = shading(*axis, np.zeros(4, np.float32)).tolist()
    assert left > right and top > bottom


def test_tube_is_as_thick_as_its_profile():
    canvas, camera = Canvas(np.zeros((384, 256, 3), np.float32), 1.0), Camera(384, 256)
    tube = Tube(canvas, camera, [np.array([0, 1.5, 0]), np.array([0, 0.5, 0])], 0.1)
    tube.layer(Profile((0, 1), (0.1, 0.1)), Cloth(np.full((8, 8, 3), 90, np.float32), 10.0), (4,))
    row = canvas.coverage[218]
    assert row.sum() == pytest.approx(2 * 0.1 * 134, abs=0.6)
    assert (canvas.coverage.sum(1) > 0).sum() == pytest.approx(1.2 * 134, abs=2)
    assert set(np.unique(canvas.parts)) == {0, 4}


def test_window_outside_the_frame_is_none():
    canvas = gray()
    assert canvas.window(-50, 0, -10, 20) is None and canvas.window(-5, -5, 500, 500) == (0, 0, 48, 64)


def test_noise_repeats_without_a_seam():
    noise = periodic_noise(np.random.default_rng(0), 40, 60, 3, 5)
    assert noise.std() == pytest.approx(1, abs=1e-3)
    assert np.abs(noise[:, 0] - noise[:, -1]).mean() < 1.5 * np.abs(np.diff(noise, axis=1)).mean()


def test_rules_of_the_wardrobe():
    for seed in (0, 1, 7):
        for index in range(20):
            actor = make_actor(index, seed)
            assert sum(actor.hair) <= 0.8 * sum(actor.skin) and min(actor.shirt) >= DARKEST_SHIRT
            assert actor == make_actor(index, seed)


def test_turning_the_head_changes_the_picture_little_by_little():
    renderer = Renderer(make_actor(1), 192, 128)
    base = parameters('bow', 2)[0]
    frames = []
    for degrees in np.arange(0, 12, 1.0):
        p = {**base, 'head_yaw': np.array(degrees)}
        frames.append(renderer.render(p, (0, 0, 0)).frame[45:80, 50:78].astype(float))
    steps = [np.abs(a - b).mean() for a, b in zip(frames, frames[1:])]
    assert min(steps) > 0 and max(steps) < 2 * np.median(steps)
