"""A whole training step as one CUDA graph.

With one or two samples a step is thousands of small kernels, and launching them one by one takes longer than they do. A graph launches
all of them at once.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import torch
from mmengine.dist import get_world_size
from mmengine.logging import print_log
from mmengine.optim import OptimWrapperDict
from torch import Tensor
from torch.utils import _pytree as pytree

WARM_UP = 3
"""Steps of each shape of input that are run one kernel at a time: libraries choose their algorithms, optimizers make their state."""
MOST = 16
"""Shapes of input that get a graph; further ones are run without."""

Learn = Callable[[dict, OptimWrapperDict], dict[str, Tensor]]


class StepGraph:
    """Runs the part of a step that has no choices in it: a few times as it is, then as a recorded graph.

    Each shape of input has its own graph. Learning rates are read at every step, so schedules act. Where a step cannot be recorded,
    it is run as it is, and one line of the log says why.
    """

    def __init__(self) -> None:
        self.off: str | None = None
        self._records: dict[str, _Record] = {}
        self._states: list[dict] = []
        self._rates: dict[int, Tensor] = {}
        self._stream: torch.cuda.Stream | None = None
        self._pool: tuple[int, int] | None = None

    def __call__(self, learn: Learn, given: dict, optim_wrapper: OptimWrapperDict) -> dict[str, Tensor]:
        """One step.

        Args:
            learn: the step; it must not wait for the device, and must do the same whatever the numbers in its tensors are.
            given: its input: tensors on the GPU and constants, in dicts, lists and named tuples.
            optim_wrapper: of all optimizers.

        Returns:
            What ``learn`` returns: scalar tensors by name.
        """
        states = [wrapper.optimizer.state for wrapper in optim_wrapper.values()]
        if len(states) != len(self._states) or any(a is not b for a, b in zip(states, self._states)):
            self._records, self._states = {}, states  # a checkpoint was loaded: graphs would write to what was there before
        leaves, layout = pytree.tree_flatten(given)
        reason = self.off or obstacle(leaves, optim_wrapper)
        if reason is None:
            tensors = [leaf for leaf in leaves if isinstance(leaf, Tensor)]
            key = f'{layout} ' + ' '.join(
                f'{tuple(x.shape)}{x.dtype}' if isinstance(x, Tensor) else repr(x) for x in leaves)
            record = self._records.get(key)
            if record is None and len(self._records) < MOST:
                record = self._records[key] = _Record()
            if record is not None:
                with self._rates_on_device(optim_wrapper):
                    if record.graph is None and record.seen < WARM_UP:
                        record.seen += 1
                        return self._aside(lambda: learn(given, optim_wrapper))
                    if record.graph is None:
                        reason = self._capture(record, learn, leaves, layout, optim_wrapper)
                if record.graph is not None:
                    return record.replay(tensors, optim_wrapper)
        if reason and not self.off:
            self.give_up(reason)
        return learn(given, optim_wrapper)

    def give_up(self, reason: str) -> None:
        """Run all further steps as they are, and say why."""
        self.off = reason
        print_log(f'model.cuda_graph is off: {reason}', 'current')

    def _aside(self, work: Callable[[], dict]) -> dict:
        """Work on the stream of the graphs."""
        if self._stream is None:
            self._stream = torch.cuda.Stream()
        self._stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._stream):
            result = work()
        torch.cuda.current_stream().wait_stream(self._stream)
        return result

    def _capture(self, record: '_Record', learn: Learn, leaves: list, layout: pytree.TreeSpec,
                 optim_wrapper: OptimWrapperDict) -> str | None:
        """Record a step, which does not run it; why it cannot be recorded, if so."""
        static = [leaf.clone() if isinstance(leaf, Tensor) else leaf for leaf in leaves]
        counts = {name: wrapper._inner_count for name, wrapper in optim_wrapper.items()}
        graph = torch.cuda.CUDAGraph()
        self._pool = self._pool or torch.cuda.graph_pool_handle()
        torch.cuda.synchronize()
        try:
            with _capturable(optim_wrapper), torch.cuda.graph(
                    graph, pool=self._pool, stream=self._stream, capture_error_mode='thread_local'):
                logs = learn(pytree.tree_unflatten(static, layout), optim_wrapper)
                packed = torch.stack([value.detach().float().reshape(()) for value in logs.values()])
        except RuntimeError as error:
            for name, wrapper in optim_wrapper.items():
                wrapper._inner_count = counts[name]
                wrapper.zero_grad()
            return f'the step cannot be recorded: {_first_line(error)}'
        record.inputs = [leaf for leaf in static if isinstance(leaf, Tensor)]
        record.names, record.values = list(logs), packed
        record.counts = {name: wrapper._inner_count - counts[name] for name, wrapper in optim_wrapper.items()}
        for name, wrapper in optim_wrapper.items():
            wrapper._inner_count = counts[name]
        record.graph = graph
        return None

    @contextmanager
    def _rates_on_device(self, optim_wrapper: OptimWrapperDict) -> Iterator[None]:
        """Within the context learning rates are tensors that recorded steps read; outside of it the numbers of the schedule."""
        groups = [group for wrapper in optim_wrapper.values() for group in wrapper.optimizer.param_groups]
        rates = [group['lr'] for group in groups]
        try:
            for number, (group, rate) in enumerate(zip(groups, rates)):
                if number not in self._rates:
                    self._rates[number] = torch.zeros((), device=group['params'][0].device)
                group['lr'] = self._rates[number].fill_(rate)
            yield
        finally:
            for group, rate in zip(groups, rates):
                group['lr'] = rate


class _Record:
    """A recorded step: where its input goes, and where its logs come from."""

    def __init__(self) -> None:
        self.seen, self.graph = 0, None
        self.inputs: list[Tensor] = []
        self.names: list[str] = []
        self.values: Tensor | None = None
        self.counts: dict[str, int] = {}

    def replay(self, tensors: list[Tensor], optim_wrapper: OptimWrapperDict) -> dict[str, Tensor]:
        """Run the step on new input."""
        torch._foreach_copy_(self.inputs, tensors)
        self.graph.replay()
        for name, wrapper in optim_wrapper.items():
            wrapper._inner_count += self.counts[name]
        return dict(zip(self.names, self.values.clone().unbind()))


@contextmanager
def _capturable(optim_wrapper: OptimWrapperDict) -> Iterator[None]:
    """Within the context optimizers say that they can be recorded, which fused ones can."""
    groups = [group for wrapper in optim_wrapper.values() for group in wrapper.optimizer.param_groups if 'capturable' in group]
    before = [group['capturable'] for group in groups]
    try:
        for group in groups:
            group['capturable'] = True
        yield
    finally:
        for group, value in zip(groups, before):
            group['capturable'] = value


def obstacle(leaves: list, optim_wrapper: Mapping) -> str | None:
    """Why a step cannot be a graph, None where it can be tried.

    Args:
        leaves: input of the step.
        optim_wrapper: name -> wrapper of an optimizer.
    """
    if not torch.cuda.is_available() or any(isinstance(leaf, Tensor) and not leaf.is_cuda for leaf in leaves):
        return 'it needs a GPU'
    if get_world_size() > 1:
        return 'several processes'
    strange = next((leaf for leaf in leaves if not isinstance(leaf, (Tensor, int, float, str, slice, type(None)))), None)
    if strange is not None:
        return f'the step is given a {type(strange).__name__}'
    for name, wrapper in optim_wrapper.items():
        if wrapper._accumulative_counts > 1:
            return f'optim_wrapper.{name} accumulates gradients'
        if getattr(wrapper, 'dtype', None) is torch.float16:
            return f'optim_wrapper.{name} is in float16, whose scale depends on the gradients; take bfloat16'
        if not all(group.get('fused') for group in wrapper.optimizer.param_groups):
            return f'optim_wrapper.{name}.optimizer is not fused'
    return None


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
