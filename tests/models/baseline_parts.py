"""What the tests of the baselines share: a batch of real items of tiny clips, optimizers, a training step that is looked at."""

import copy

import torch
from mmengine.optim import OptimWrapper, OptimWrapperDict
from torch.utils.data import default_collate

from toolkit.datasets.windows import ClipWindows
from toolkit.engine.datasets import give_fields
from toolkit.registry import MODELS


def build(kind, **options):
    torch.manual_seed(0)
    return MODELS.build(dict(type=kind, **options))


def dataset_of(clips, model, window=2, **options):
    dataset = ClipWindows(clips[0].folder.parent, window=window, **options)
    give_fields(model, dataset)
    return dataset


def batch_of(clips, model, window=2, size=2, **options):
    dataset = dataset_of(clips, model, window, **options)
    return default_collate([dataset[i * (len(dataset) // size)] for i in range(size)])


def optimizers(model, lr=1e-3, **networks):
    """One SGD for each name: ``g=['net_g']``."""
    networks = networks or dict(g=['net_g'], d=['net_d'])
    return OptimWrapperDict(**{
        name: OptimWrapper(torch.optim.SGD([p for n in names for p in getattr(model, n).parameters()], lr))
        for name, names in networks.items()})


def step(model, batch, wrappers, iteration=0, max_iters=10):
    """Logs of a training step, and the names of the networks that it changed."""
    model.set_train_state(0, 0, iteration, max_iters)
    before = copy.deepcopy(model.state_dict())
    logs = model.train_step(batch, wrappers)
    assert all(value.isfinite() and not value.requires_grad for value in logs.values()), logs
    parameters = dict(model.named_parameters())
    return logs, {key.split('.')[0] for key, value in parameters.items() if not torch.equal(value, before[key])}


def parameters(network):
    return sum(p.numel() for p in network.parameters())


def whole_clip(clips, model):
    """A whole clip as testing reads it."""
    return default_collate([dataset_of(clips[:1], model, None)[0]])
