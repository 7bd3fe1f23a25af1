"""GANLoss: every objective against a hand-made value, sums over scales, directions of the gradient."""

import math

import pytest
import torch

from toolkit.losses.gan import OBJECTIVES, GANLoss
from toolkit.structures import InputError

PREDICTION = torch.tensor([[[[2.0, -1.0]]]])


def softplus(x):
    return math.log1p(math.exp(x))


@pytest.mark.parametrize('objective, real, for_discriminator, expected', [
    ('lsgan', True, True, (1 + 4) / 2), ('lsgan', False, True, (4 + 1) / 2), ('lsgan', True, False, (1 + 4) / 2),
    ('hinge', True, True, (0 + 2) / 2), ('hinge', False, True, (3 + 0) / 2), ('hinge', True, False, -0.5), ('hinge', False, False, 0.5),
    ('wgan', True, True, -0.5), ('wgan', False, True, 0.5), ('wgan', True, False, -0.5),
    ('vanilla', True, True, (softplus(-2) + softplus(1)) / 2), ('vanilla', False, True, (softplus(2) + softplus(-1)) / 2),
    ('vanilla', True, False, (softplus(-2) + softplus(1)) / 2),
])
def test_by_hand(objective, real, for_discriminator, expected):
    assert GANLoss(objective)(PREDICTION, real, for_discriminator).item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize('objective', OBJECTIVES)
def test_sums_over_scales_and_means_within(objective):
    loss = GANLoss(objective)
    one, two = torch.randn(2, 1, 5, 4), torch.randn(2, 1, 3, 2)
    features = [[torch.full((1,), 1e9), one], [torch.full((1,), 1e9), two]]
    together = loss(features, True)
    torch.testing.assert_close(together, loss(one, True) + loss(two, True))
    torch.testing.assert_close(together, loss([one, two], True))
    torch.testing.assert_close(loss([one, one], True), 2 * loss(one.repeat(3, 1, 1, 1), True))


@pytest.mark.parametrize('objective', OBJECTIVES)
def test_gradient_pushes_the_right_way(objective):
    loss = GANLoss(objective)
    for real, for_discriminator, sign in ((True, True, -1), (False, True, 1), (True, False, -1)):
        prediction = torch.full((1, 1, 2, 2), 0.5, requires_grad=True)
        loss([prediction], real, for_discriminator).backward()
        assert (prediction.grad.sign() == sign).all()


@pytest.mark.parametrize('objective, smooth', [('lsgan', (1.1**2 + 1.9**2) / 2), ('vanilla', None)])
def test_label_smoothing_is_one_sided_and_for_the_discriminator(objective, smooth):
    plain, smoothed = GANLoss(objective), GANLoss(objective, real_label=0.9)
    assert smoothed(PREDICTION, True, True) != plain(PREDICTION, True, True)
    assert smoothed(PREDICTION, False, True) == plain(PREDICTION, False, True)
    assert smoothed(PREDICTION, True, False) == plain(PREDICTION, True, False)
    if smooth is not None:
        assert smoothed(PREDICTION, True, True).item() == pytest.approx(smooth, abs=1e-6)


def test_half_precision_predictions_are_averaged_in_float32():
    prediction = torch.full((1, 1, 100, 100), 0.5, dtype=torch.bfloat16)
    loss = GANLoss()(prediction, False)
    assert loss.dtype == torch.float32
    assert loss.item() == 0.25


def test_unknown_objective():
    with pytest.raises(InputError, match='lsgan'):
        GANLoss('relativistic')


def test_a_label_that_would_have_no_effect():
    for objective in ('hinge', 'wgan'):
        with pytest.raises(InputError, match=f"real_label=0.9 has no effect with objective='{objective}'"):
            GANLoss(objective, real_label=0.9)
