"""Steps as CUDA graphs: what stands in their way is said once, and what they compute is the same."""

import pytest
import torch
from mmengine.optim import OptimWrapperDict

from tests.models.test_video_pix2pixhd import batch_of
from tests.models.test_video_pix2pixhd_exact import build
from toolkit.engine.optim import NetworkOptimizers, OptimWrapper
from toolkit.model_parts.discriminator_view import box
from toolkit.models.step_graph import StepGraph, obstacle
from toolkit.registry import MODELS
from toolkit.structures import InputError


def wrapper(count=1, **options):
    return OptimWrapper(torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))], **options), accumulative_counts=count)


@pytest.mark.parametrize('leaves, wrappers, words', [
    ([torch.zeros(1)], {}, 'GPU'), ([object()], {}, 'a object'), ([], dict(g=wrapper(2)), 'optim_wrapper.g accumulates'),
    ([], dict(g=wrapper()), 'g.optimizer is not fused'), ([1, 'a', None, slice(None)], dict(g=wrapper(fused=True)), None)])
def test_obstacles(monkeypatch, leaves, wrappers, words):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    found = obstacle(leaves, wrappers)
    assert found is None if words is None else words in found


def test_without_a_gpu_the_step_is_run_as_it_is_and_one_line_says_so(monkeypatch):
    said, calls = [], []
    monkeypatch.setattr('toolkit.models.step_graph.print_log', lambda text, *_: said.append(text))
    graph = StepGraph()
    for _ in range(2):
        graph(lambda given, wrappers: calls.append(given) or {}, dict(x=torch.zeros(1)), OptimWrapperDict(g=wrapper(fused=True)))
    assert len(calls) == 2 and said == ['model.cuda_graph is off: it needs a GPU']


def test_methods_whose_step_cannot_be_recorded_refuse():
    part = dict(type='Pix2Pix', cuda_graph=True, generator=dict(type='UNet'), discriminator=dict(type='PatchGAN'), losses={})
    with pytest.raises(InputError, match='Pix2Pix cannot be recorded'):
        MODELS.build(part)


def test_the_box_of_grown_masks_is_found_without_growing_them():
    generator = torch.Generator().manual_seed(0)
    for radius in (0, 3, 8):
        masks = torch.zeros(1, 2, 1, 160, 128)
        top, left = (int(torch.randint(0, 60, (), generator=generator)) for _ in range(2))
        masks[..., top:top + 70, left:left + 66] = 1
        grown = torch.nn.functional.max_pool2d(masks.flatten(0, 1), 2 * radius + 1, 1, radius)[None]
        assert box(masks, radius) == box(grown)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a CUDA device')
def test_recorded_steps_are_those_run_one_kernel_at_a_time():
    found = []
    for graph in (False, True):
        model = build('mean').cuda()
        model.step_graph = StepGraph() if graph else None
        adam = dict(type='Adam', lr=1e-3, fused=True)
        wrappers = NetworkOptimizers({name: dict(networks=[f'net_{name}'], optimizer=adam) for name in 'gd'})(model)
        for i in range(8):
            for name in 'gd':
                wrappers[name].optimizer.param_groups[0]['lr'] = 1e-3 * (1 - i / 10)
            model.set_train_state(0, 0, i, 8)
            logs = model.train_step(batch_of(model, seed=i), wrappers)
        assert not graph or (model.step_graph.off is None and any(r.graph for r in model.step_graph._records.values()))
        found.append((logs, [p.detach().clone() for p in model.parameters()]))
    (a, these), (b, those) = found
    for name in a:
        torch.testing.assert_close(a[name], b[name], rtol=1e-2, atol=1e-3)
    for p, q in zip(these, those):
        assert (p - q).abs().mean() < 2e-4
