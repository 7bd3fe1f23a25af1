"""Batch normalization over the samples of all processes, on GPUs and CPUs."""

import torch
from mmengine.dist import get_world_size
from torch import Tensor, nn
from torch.distributed.nn.functional import all_reduce
from torch.nn.modules.batchnorm import _BatchNorm


class SharedBatchNorm(_BatchNorm):
    """What torch's ``SyncBatchNorm`` does, for CPUs, where torch has none: mean and variance are those of the global batch.

    Gradients flow through the statistics to the samples of all processes, so that processes of one sample each do what one process
    with all samples does.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Normalize (B, C, ...); in eval mode with the running statistics, as usual."""
        if not self.training or get_world_size() == 1:
            return super().forward(x)
        places = [0, *range(2, x.ndim)]
        exact = x.double()
        sums = torch.cat([exact.sum(places), exact.square().sum(places), exact.new_tensor([x.numel() / self.num_features])])
        total = all_reduce(sums)
        count = total[-1].detach()
        mean, square = (total[:-1] / count).chunk(2)
        variance = (square - mean.square()).clamp_min(0)
        if self.track_running_stats:
            self._follow(mean.detach(), variance.detach() * count / (count - 1).clamp_min(1))
        shape = (1, -1, *[1] * (x.ndim - 2))
        out = (exact - mean.view(shape)) * (variance + self.eps).rsqrt().view(shape)
        if self.affine:
            out = out * self.weight.view(shape) + self.bias.view(shape)
        return out.to(x.dtype)

    def _follow(self, mean: Tensor, variance: Tensor) -> None:
        """Move the running statistics, as torch does."""
        self.num_batches_tracked.add_(1)
        weight = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean.to(self.running_mean), weight)
        self.running_var.lerp_(variance.to(self.running_var), weight)

    def _check_input_dim(self, input: Tensor) -> None:
        """Any number of dimensions is fine."""


def share_batch_norm(network: nn.Module) -> nn.Module:
    """Let all batch normalization of a network take its statistics over all processes; keys of checkpoints stay.

    Args:
        network: changed in place, its parameters and buffers are kept.

    Returns:
        The network, or what takes its place where it is itself such a layer.
    """
    if next(network.parameters()).is_cuda:
        return nn.SyncBatchNorm.convert_sync_batchnorm(network)
    return _share_on_cpu(network)


def _share_on_cpu(network: nn.Module) -> nn.Module:
    for name, child in network.named_children():
        network._modules[name] = _share_on_cpu(child)
    if not isinstance(network, _BatchNorm) or isinstance(network, SharedBatchNorm):
        return network
    shared = SharedBatchNorm(network.num_features, network.eps, network.momentum, network.affine, network.track_running_stats)
    shared._parameters, shared._buffers = network._parameters, network._buffers
    return shared.train(network.training)
