"""Lab conversion against scikit-image, and the gamut."""

import numpy as np
import skimage.color
import torch

from toolkit.colors.lab import in_gamut, lab_to_rgb, rgb_to_lab


def test_agrees_with_skimage():
    rgb = np.random.default_rng(0).random((50, 40, 3))
    lab = skimage.color.rgb2lab(rgb)
    np.testing.assert_allclose(rgb_to_lab(torch.from_numpy(rgb)).numpy(), lab, atol=1e-4)
    np.testing.assert_allclose(lab_to_rgb(torch.from_numpy(lab)).numpy(), rgb, atol=1e-4)


def test_round_trip_of_every_gray_and_corner_stays_below_half_an_8_bit_step():
    levels = torch.arange(256.) / 255
    grays = levels[:, None].expand(-1, 3)
    corners = torch.cartesian_prod(*[torch.tensor([0., 1.])] * 3)
    rgb = torch.cat([grays, corners])
    assert (lab_to_rgb(rgb_to_lab(rgb)) - rgb).abs().max() < .5 / 255


def test_gradient_is_finite_at_black_and_white():
    rgb = torch.tensor([[0., 0., 0.], [1., 1., 1.]], requires_grad=True)
    rgb_to_lab(rgb).sum().backward()
    assert rgb.grad.isfinite().all()


def test_gamut():
    corners = rgb_to_lab(torch.cartesian_prod(*[torch.tensor([0., 1.])] * 3))
    assert in_gamut(corners).all()
    assert not in_gamut(torch.tensor([[50., 110., -110.], [95., 80., 80.], [5., -60., 60.]])).any()
