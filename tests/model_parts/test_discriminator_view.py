"""What a discriminator is shown: the persons' box, no scene, and the same changes for all that it sees."""

import pytest
import torch
from mmengine.optim import OptimWrapper, OptimWrapperDict

from tests.generators.test_blend import model_of
from toolkit.model_parts.discriminator_view import AUGMENTATIONS, DiscriminatorView, augmented, box
from toolkit.structures import InputError

H, W = 192, 128


def masks_of(rows=(90, 130), columns=(50, 70)):
    masks = torch.zeros(2, 2, 1, H, W)
    masks[0, 0, :, slice(*rows), slice(*columns)] = 1
    return masks


def noise(*shape):
    return torch.zeros(shape)


def test_the_box_holds_the_persons_of_all_samples_on_a_grid():
    masks = masks_of()
    masks[1, 1, :, 20:40, 100:110] = 1
    rows, columns = box(masks)
    assert (rows, columns) == (slice(16, 144), slice(48, 112))
    assert box(masks_of((0, H), (0, W))) == (slice(0, H), slice(0, W))


@pytest.mark.parametrize('rows, columns', [((90, 95), (3, 6)), ((188, 192), (120, 128)), ((0, 4), (60, 62))])
def test_a_small_box_is_grown_within_the_frame(rows, columns):
    for side, (start, stop), size in zip(box(masks_of(rows, columns)), (rows, columns), (H, W)):
        assert 0 <= side.start <= start and stop <= side.stop <= size and side.stop - side.start >= 64


def test_nobody_or_a_small_frame_shows_the_whole_frame():
    assert box(torch.zeros(2, 2, 1, H, W)) == (slice(0, H), slice(0, W))
    small = torch.zeros(1, 1, 1, 48, 40)
    small[..., 20:25, 20:25] = 1
    assert box(small) == (slice(0, 48), slice(0, 40))


def test_the_scene_is_black_and_the_person_as_it_is():
    shown = DiscriminatorView('person', background=False, margin=0.02).of(dict(masks=masks_of()), noise)
    frames, conditions = torch.rand(2, 2, 3, H, W), torch.rand(2, 2, 4, H, W)
    seen, person = shown(conditions, frames)
    rows, columns = box(torch.nn.functional.max_pool2d(masks_of().flatten(0, 1), 9, 1, 4).unflatten(0, (2, 2)))
    assert torch.equal(seen, conditions[..., rows, columns])
    inside = person[0, 0, :, 90 - rows.start:130 - rows.start, 50 - columns.start:70 - columns.start]
    assert torch.allclose(inside, frames[0, 0, :, 90:130, 50:70])
    assert (person[0, 0, :, :86 - rows.start] == -1).all() and (person[1] == -1).all()


def test_whole_frames_are_the_default():
    frames, conditions = torch.rand(2, 2, 3, H, W), torch.rand(2, 2, 4, H, W)
    seen = DiscriminatorView().of(dict(masks=masks_of()), noise)(conditions, frames)
    assert torch.equal(seen[0], conditions) and torch.equal(seen[1], frames)


def test_augmentation_changes_samples_apart_and_all_they_show_alike():
    maps = torch.rand(1, 2, 3, 64, 64).repeat(2, 1, 1, 1, 1).requires_grad_(True)
    draws = torch.rand(2, 8, generator=torch.Generator().manual_seed(0))
    conditions, frames = augmented(maps, maps, draws, ('shift',))
    assert torch.equal(conditions, frames) and not torch.equal(frames[0], frames[1])
    _, frames = augmented(maps, maps, draws, AUGMENTATIONS)
    assert frames.shape == maps.shape and not torch.equal(frames[0], frames[1])
    again = augmented(maps, maps, draws, AUGMENTATIONS)[1]
    assert torch.equal(frames, again)
    frames.sum().backward()
    assert maps.grad.abs().sum() > 0


def test_a_shift_moves_each_sample_by_whole_pixels_of_its_own():
    frames = torch.rand(3, 2, 3, 64, 80, requires_grad=True)
    draws = torch.full((3, 8), .5)
    draws[:, 3], draws[:, 4] = torch.tensor([0., .5, 1.]), torch.tensor([1., .5, .2])
    _, moved = augmented(frames[:, :, :1], frames, draws, ('shift',))
    for sample, (down, right) in enumerate([(-8, 10), (0, 0), (8, -6)]):
        wanted = torch.full((2, 3, 64, 80), -1.)
        for y in range(64):
            for x in range(80):
                if 0 <= y - down < 64 and 0 <= x - right < 80:
                    wanted[..., y, x] = frames[sample, ..., y - down, x - right].detach()
        assert torch.equal(moved[sample], wanted)
    moved.sum().backward()
    assert frames.grad.sum() == 6 * (56 * 70 + 64 * 80 + 56 * 74) and frames.grad.max() == 1


def test_changes_lie_at_the_same_pixels_in_half_precision():
    """Generated frames may be in it where real ones are not: else holes would tell them apart."""
    draws = torch.rand(8, 8, generator=torch.Generator().manual_seed(0))
    maps = torch.ones(8, 1, 1, 384, 256)
    exact, half = (augmented(maps, maps.to(kind), draws, ('shift', 'cutout')) for kind in (torch.float32, torch.bfloat16))
    assert torch.equal(half[0], exact[0]) and torch.equal(half[1].float(), exact[1])


@pytest.mark.parametrize('view, message', [
    (dict(crop='face'), 'crop must be one of frame, person'), (dict(crop='person', margin=2), 'margin=2'),
    (dict(margin=.1), 'margin=0.1 has no effect'), (dict(augmentation=['blur']), "'blur'")])
def test_options_that_cannot_be_are_refused(view, message):
    with pytest.raises(InputError, match=message):
        DiscriminatorView(**view)


def test_a_model_trains_with_a_view():
    model = model_of('GlobalGenerator', discriminator_view=dict(crop='person', background=False, augmentation=['color', 'shift']))
    seen = []
    model.net_d.register_forward_pre_hook(lambda _, args: seen.append(args[0].shape))
    optimizers = OptimWrapperDict(**{key: OptimWrapper(torch.optim.Adam(network.parameters(), 1e-3))
                                     for key, network in (('g', model.net_g), ('d', model.net_d))})
    batch = model.example_batch(H, W)
    batch['masks'][..., 70:110, 60:80] = 255
    losses = model.train_step(batch, optimizers)
    assert all(value.isfinite() for value in losses.values())
    assert set(seen) == {(1, 14, 80, 64)}
