"""Distributed data parallel for models of several networks."""

import os
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch
from mmengine.model import MMSeparateDistributedDataParallel, is_model_wrapper
from torch import nn

from toolkit.engine.batch_norm import share_batch_norm
from toolkit.registry import MODEL_WRAPPERS


@MODEL_WRAPPERS.register_module()
class SeparateDDP(MMSeparateDistributedDataParallel):
    """Wraps each trainable child of the model by itself, on GPUs (NCCL) or CPUs (gloo); frozen children stay bare.

    Batch normalization takes its statistics over the samples of all processes, see :mod:`toolkit.engine.batch_norm`.

    Args:
        module: the model.
        find_unused_parameters: see torch's DistributedDataParallel; needed only where a step leaves parameters without gradients.
        kwargs: further arguments of torch's DistributedDataParallel.
    """

    def __init__(self, module: nn.Module, find_unused_parameters: bool = False, **kwargs) -> None:
        kwargs['device_ids'] = [int(os.environ['LOCAL_RANK'])] if torch.cuda.is_available() else None
        kwargs.setdefault('gradient_as_bucket_view', True)
        for name, child in module.named_children():
            if any(p.requires_grad for p in child.parameters()):
                module._modules[name] = share_batch_norm(child)
        with warnings.catch_warnings():
            warnings.filterwarnings('ignore', '.*broadcast_buffers', FutureWarning)  # MMEngine's word for it
            super().__init__(module, broadcast_buffers=False, find_unused_parameters=find_unused_parameters, **kwargs)

    @contextmanager
    def no_sync(self) -> Iterator[None]:
        """No gradient averaging in any network."""
        with ExitStack() as stack:
            for child in self.module.children():
                if is_model_wrapper(child):
                    stack.enter_context(child.no_sync())
            yield
