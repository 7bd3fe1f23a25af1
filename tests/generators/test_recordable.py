"""Generators can be recorded as CUDA graphs: nothing in them copies numbers from the CPU, or waits for the device."""

import pytest
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from tests.generators.test_blend import BODIES
from toolkit.registry import GENERATORS

H, W = 32, 32
ATEN = torch.ops.aten
HOST = ATEN.lift_fresh.default, ATEN._local_scalar_dense.default, ATEN.nonzero.default
"""What stands in the trace of a tensor made of numbers, of a number asked of a tensor, and of a result of unknown size."""
ASKED = torch.Tensor.tolist, torch.Tensor.cpu, torch.Tensor.numpy
"""What a CPU answers without a trace."""


class Host(TorchDispatchMode):
    """Notes what a GPU would need the CPU for, which fails while a step is recorded."""

    def __init__(self):
        super().__init__()
        self.found, self.asked = [], Asked(self)

    def __enter__(self):
        self.asked.__enter__()
        return super().__enter__()

    def __exit__(self, *error):
        super().__exit__(*error)
        self.asked.__exit__(*error)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return self.noted(func, func in HOST, args, kwargs)

    def noted(self, func, needs, args, kwargs):
        self.found += [func] * needs
        return func(*args, **(kwargs or {}))


class Asked(TorchFunctionMode):
    """Notes what is called by name: questions, and ``where`` with a plain number, which is brought to the device as a tensor."""

    def __init__(self, host):
        super().__init__()
        self.host = host

    def __torch_function__(self, func, types, args=(), kwargs=None):
        plain = func in (torch.where, torch.Tensor.where) and any(isinstance(x, (int, float)) for x in args)
        return self.host.noted(func, func in ASKED or plain, args, kwargs)


def test_what_needs_the_host_is_noticed():
    x = torch.rand(2)
    for work in (lambda: x.new_tensor([1, 2]), lambda: torch.tensor(1.), x.tolist, lambda: bool(x[0] > 0), x.nonzero,
                 lambda: torch.where(x > 0, x, 0), lambda: torch.where(x > 0, 0, x)):
        with Host() as host:
            work()
        assert host.found
    with Host() as host:
        torch.where(x > 0, x, -x).masked_fill(x > 0, 1) + x.new_full((), 2) + torch.arange(2)
    assert not host.found


@pytest.mark.parametrize('body', BODIES)
@pytest.mark.parametrize('options', [dict(references=2, plate=True), dict(references=2, plate=True, garments=True),
                                     dict(references=1), dict(plate=True)], ids=str)
def test_a_blend(body, options):
    textures = (6 if options.get('garments') else 4) * options.get('references', 0) + 3 * options.get('plate', False)
    net = GENERATORS.build(dict(type='BlendGenerator', input_nc=1 + textures, first=1, generator=BODIES[body], **options))
    x = torch.rand(2, 1 + textures, H, W, requires_grad=True)
    with Host() as host:
        net(x).sum().backward()
    assert not host.found


@pytest.mark.parametrize('kind', ['GlobalGenerator', 'LocalEnhancer'])
@pytest.mark.parametrize('mode', ['region_rgb', 'last_film', 'region_film', 'film', 'masked_tile', 'stem_nonorm'])
@pytest.mark.parametrize('checkpoint', [False, True])
def test_a_code(kind, mode, checkpoint, monkeypatch):
    net = GENERATORS.build(dict(BODIES[kind], input_nc=4, z_dims=(3, 2), z_injection=mode, checkpoint=checkpoint))
    inputs = torch.rand(2, 4, H, W), torch.rand(2, 5), torch.rand(2, 2, H, W)
    for name in ('get_rng_state', 'set_rng_state'):  # neither can be called while a step is recorded
        monkeypatch.setattr(torch, name, None)
    with Host() as host:
        net(*inputs).sum().backward()
    assert not host.found
