"""Sections of a config that are no parts: their keys, and of what kind their values are."""

from collections.abc import Sequence
from typing import TypedDict


class Loader(TypedDict, total=False):
    """``train_dataloader``, ``val_dataloader``, ``test_dataloader``."""

    dataset: dict
    sampler: dict
    batch_size: int
    num_workers: int | None
    persistent_workers: bool
    pin_memory: bool
    drop_last: bool
    prefetch_factor: int | None
    timeout: float


class Randomness(TypedDict, total=False):
    """``randomness``."""

    seed: int | None
    diff_rank_seed: bool
    deterministic: bool


class Environment(TypedDict, total=False):
    """``env_cfg``."""

    cudnn_benchmark: bool
    keep_memory: bool
    mp_cfg: dict
    dist_cfg: dict
    resource_limit: int


class Processes(TypedDict, total=False):
    """``env_cfg.mp_cfg``."""

    mp_start_method: str
    opencv_num_threads: int


class Distributed(TypedDict, total=False):
    """``env_cfg.dist_cfg``."""

    backend: str
    timeout: float
    init_backend: str


class Imports(TypedDict, total=False):
    """``custom_imports``."""

    imports: str | Sequence[str]
    allow_failed_imports: bool


class Need(TypedDict, total=False):
    """An entry of ``needs``, see :mod:`toolkit.engine.needs`."""

    part: str
    config: str
    use: dict
    also: dict
    shared: Sequence[str]


class Optimizer(TypedDict, total=False):
    """An entry of ``optim_wrapper``, see :class:`toolkit.engine.optim.NetworkOptimizers`."""

    networks: Sequence[str]
    type: str
    optimizer: dict
    accumulative_counts: int
    clip_grad: dict | None
    dtype: str
    loss_scale: float


class Clipping(TypedDict, total=False):
    """``optim_wrapper.*.clip_grad``: by norm, or with ``type='value'`` each value."""

    type: str
    max_norm: float
    norm_type: float
    clip_value: float
    error_if_nonfinite: bool
    foreach: bool | None


class Top(TypedDict, total=False):
    """A whole config. Helper variables of a config file begin with an underscore and are dropped after reading."""

    model: dict
    data: dict | None
    work_dir: str | None
    train_dataloader: dict | None
    val_dataloader: dict | None
    test_dataloader: dict | None
    train_cfg: dict | None
    val_cfg: dict | None
    test_cfg: dict | None
    optim_wrapper: dict | None
    param_scheduler: dict | Sequence[dict] | None
    val_evaluator: dict | Sequence[dict] | None
    test_evaluator: dict | Sequence[dict] | None
    default_hooks: dict | None
    custom_hooks: Sequence[dict] | None
    load_from: str | None
    networks_from: dict | None
    resume: bool
    launcher: str
    env_cfg: dict
    log_level: str | int
    visualizer: dict | None
    default_scope: str | None
    randomness: dict
    experiment_name: str | None
    model_wrapper_cfg: dict | None
    custom_imports: dict | str | Sequence[str] | None
    needs: dict[str, dict]


def networks_by_name(**networks: str | dict | None) -> None:
    """What ``networks_from`` may hold: any name of a network, see :mod:`toolkit.engine.networks_from`."""


Top.nested = dict(networks_from=networks_by_name)
SECTIONS = {
    'train_dataloader': Loader, 'val_dataloader': Loader, 'test_dataloader': Loader, 'randomness': Randomness, 'env_cfg': Environment,
    'env_cfg.mp_cfg': Processes, 'env_cfg.dist_cfg': Distributed, 'custom_imports': Imports, 'needs.*': Need,
    'optim_wrapper.*.clip_grad': Clipping}
"""Where -> keys and kinds. A star stands for any name."""
