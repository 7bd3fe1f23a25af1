"""The image pool."""

import torch

from toolkit.model_parts.image_pool import ImagePool


def numbered(*numbers, size=2):
    return torch.tensor([float(n) for n in numbers]).reshape(-1, 1, 1, 1).expand(-1, 3, size, size).contiguous()


def feed(pool, start, stop, seed=0):
    """What comes back for pictures start..stop-1, one at a time."""
    return [int(pool.query(numbered(n), torch.Generator().manual_seed(1000 * seed + n))[0, 0, 0, 0]) for n in range(start, stop)]


def test_no_pool_is_the_identity():
    images = numbered(1, 2, 3)
    assert torch.equal(ImagePool(0).query(images, torch.Generator()), images)


def test_new_pictures_while_it_fills():
    assert feed(ImagePool(5), 0, 5) == [0, 1, 2, 3, 4]


def test_then_half_are_earlier_pictures_each_given_once():
    pool = ImagePool(50)
    out = feed(pool, 0, 1050)[50:]
    old = [value for n, value in zip(range(50, 1050), out) if value != n]
    assert 0.46 < len(old) / 1000 < 0.54
    assert len(set(old)) == len(old), 'a picture that was given is no longer in the pool'
    assert all(value < n for n, value in zip(range(50, 1050), out) if value != n)
    kept = {int(v) for v in pool.images[:, 0, 0, 0]}
    assert len(kept) == 50 and not kept & set(old)


def test_pictures_of_a_batch_come_one_after_the_other():
    together = ImagePool(2).query(numbered(0, 1, 2, 3), torch.Generator().manual_seed(0))[:, 0, 0, 0].tolist()
    pool, generator = ImagePool(2), torch.Generator().manual_seed(0)
    assert together == [pool.query(numbered(n), generator)[0, 0, 0, 0].item() for n in range(4)]


def test_state_goes_on_exactly():
    whole, first, second = ImagePool(4), ImagePool(4), ImagePool(4)
    expected = feed(whole, 0, 20)
    assert feed(first, 0, 9) == expected[:9]
    second.load_state_dict(first.state_dict())
    feed(first, 9, 20, seed=7)
    assert feed(second, 9, 20) == expected[9:]
    partly = ImagePool(4)
    feed(partly, 0, 2)
    again = ImagePool(4)
    again.load_state_dict(partly.state_dict())
    assert again.count == 2 and feed(again, 2, 4) == [2, 3]


def test_memory_of_its_own_and_no_gradient():
    pool, images = ImagePool(1), numbered(1).requires_grad_()
    out = pool.query(images, torch.Generator())
    assert not out.requires_grad
    out.zero_()
    assert pool.images[0, 0, 0, 0] == 1 and images[0, 0, 0, 0] == 1


def test_another_size_empties_it():
    pool = ImagePool(3)
    feed(pool, 0, 3)
    assert pool.query(numbered(9, size=4), torch.Generator()).shape == (1, 3, 4, 4)
    assert pool.count == 1
