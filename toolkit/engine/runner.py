"""MMEngine's Runner with exact checkpoints, data loading without hidden randomness, and distributed training on CPUs too."""

import copy
import os
from contextlib import ExitStack
from datetime import timedelta
from functools import cached_property
from itertools import count
from pathlib import Path

import torch
from mmengine.dist import all_gather_object, broadcast, get_rank, get_world_size, is_distributed
from mmengine.model import is_model_wrapper
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.runner import BaseLoop, Runner
from torch import nn
from torch.utils.data import DataLoader

from toolkit.datasets.tensors import collate
from toolkit.engine.build_errors import naming_parts
from toolkit.engine.checkpoint import check_checkpoint, load_checkpoint, plain, restore_training_state, training_state
from toolkit.engine.datasets import build_dataset, give_fields
from toolkit.engine.linear_decay import check_alone
from toolkit.engine.memory import keep_memory
from toolkit.engine.mmengine_names import OUR_HOOKS
from toolkit.engine.networks_from import check_outside, load_starts, starts
from toolkit.engine.processes import process_environment
from toolkit.engine.saving import check_finite, write_atomically
from toolkit.engine.sections import Loader
from toolkit.engine.trained_on import FRAME_SIZE, built_size, pose_style
from toolkit.engine.work_dir import MARK, config_file, drop_scalars, set_aside, to_itself
from toolkit.engine.workers import ignore_signals, workers_of
from toolkit.files import write_file
from toolkit.models.bare import bare, unwrapped
from toolkit.plugins import describe_plugins
from toolkit.registry import DATA_SAMPLERS, LOOPS, MODEL_WRAPPERS, check_keys
from toolkit.structures import InputError, check_seed
from toolkit.together import join_group, on_main_process, restarted
from toolkit.weights import POINTER, checkpoint_file, latest_checkpoint

TEST_SECTIONS = ('test_dataloader', 'test_cfg', 'test_evaluator')
_runs = count()


class TrainRunner(Runner):
    """The runner of the toolkit; build it with :func:`toolkit.engine.launch.build_runner`."""

    begins_anew = False
    """Whether ``--resume`` found no checkpoint: what a stopped attempt logged and painted before its first one is made again."""

    def __init__(self, *args, **kwargs) -> None:
        stem = kwargs.get('experiment_name') or Path(getattr(kwargs.get('cfg'), 'filename', None) or 'run').stem
        if not all(kwargs.get(key) is not None for key in TEST_SECTIONS):
            kwargs.update(dict.fromkeys(TEST_SECTIONS))
        super().__init__(*args, **{**kwargs, 'experiment_name': f'{stem}_{next(_runs)}'})

    # ---- environment ------------------------------------------------------------------------------------------------------------

    def setup_env(self, env_cfg: dict) -> None:
        """MMEngine's set-up. Runs on CPUs use gloo; processes of MPI and Slurm are told who they are in torchrun's words.

        Raises:
            InputError: a launcher without its starter, or more processes than GPUs.
        """
        if self.distributed and not is_distributed():
            gpus = torch.cuda.device_count()
            os.environ.update(process_environment(self._launcher))
            os.environ.setdefault('LOCAL_RANK', '0')  # one process a machine, as pods of Kubernetes that are told no such rank
            if gpus and self._launcher == 'slurm':  # srun may show each process its own GPU alone
                os.environ['LOCAL_RANK'] = str(int(os.environ['LOCAL_RANK']) % gpus)
            self._launcher = 'pytorch'
            if gpus and int(os.environ['LOCAL_RANK']) >= gpus:
                raise InputError(f'more processes than GPUs on this machine ({gpus}); lower --nproc_per_node')
            if not gpus or restarted():
                options = env_cfg.get('dist_cfg', {})
                if gpus:
                    torch.cuda.set_device(int(os.environ['LOCAL_RANK']))
                join_group(timedelta(seconds=options.get('timeout', 1800)), options.get('backend', 'nccl') if gpus else 'gloo')
        if env_cfg.get('keep_memory') and not keep_memory():
            raise InputError('env_cfg.keep_memory=True needs the C library glibc, which is not here; leave it out')
        super().setup_env(env_cfg)

    def _log_env(self, env_cfg: dict) -> None:
        device = torch.cuda.get_device_name() if torch.cuda.is_available() else f'CPU, {torch.get_num_threads()} threads'
        self.logger.info(f'{self.world_size} process(es) on {device}; torch {torch.__version__}; seed {self.seed}; plugins: '
                         f'{describe_plugins()}; work dir {self.work_dir}')

    def get_hooks_info(self) -> str:
        """Names of the hooks in their order."""
        return ', '.join(type(hook).__name__ for hook in self.hooks)

    @cached_property
    def config_data(self) -> dict:
        """The whole config as plain data."""
        return plain(self.cfg.to_dict(), 'config')

    # ---- building ---------------------------------------------------------------------------------------------------------------

    def register_default_hooks(self, hooks: dict | None = None) -> None:
        """Register :data:`toolkit.engine.mmengine_names.OUR_HOOKS`, overridden by the config; None removes one."""
        for hook in {**{key: dict(type=kind) for key, kind in OUR_HOOKS.items()}, **(hooks or {})}.values():
            if hook is not None:
                self.register_hook(hook)

    def build_model(self, model: nn.Module | dict) -> nn.Module:
        """Build the model and apply its compile and memory format options."""
        model = super().build_model(model)
        if hasattr(model, 'prepare_networks'):
            model.prepare_networks()
        return model

    def wrap_model(self, model_wrapper_cfg: dict | None, model: nn.Module) -> nn.Module:
        """Wrap by :class:`toolkit.engine.wrapper.SeparateDDP` in a distributed run."""
        device = torch.device('cuda', torch.cuda.current_device()) if torch.cuda.is_available() else torch.device('cpu')
        model = model.to(device)
        if not self.distributed or is_model_wrapper(model):
            return model
        return MODEL_WRAPPERS.build(dict(dict(type='SeparateDDP'), **(model_wrapper_cfg or {})), default_args=dict(module=model))

    def build_train_loop(self, loop: BaseLoop | dict) -> BaseLoop:
        """Build the training loop, an ``IterLoop`` unless the config says otherwise.

        Raises:
            InputError: data sets that draw stick figures in several styles; whatever they raise.
        """
        if isinstance(loop, BaseLoop):
            return loop
        pose_style(self.cfg)
        config = {'type': 'IterLoop', **{key: value for key, value in loop.items() if key != 'by_epoch'}}
        with naming_parts(self.cfg._cfg_dict, 'train_dataloader'):
            loop = LOOPS.build(config, default_args=dict(runner=self, dataloader=self._train_dataloader))
        give_fields(self.model, loop.dataloader.dataset)
        self._note_size(loop.dataloader)
        return loop

    def _note_size(self, dataloader: DataLoader) -> None:
        """Write the size of the frames into the config: checkpoints tell what they were trained on."""
        if size := built_size(dataloader.dataset):
            self.cfg[FRAME_SIZE] = size
            vars(self).pop('config_data', None)

    def build_val_loop(self, loop: BaseLoop | dict) -> BaseLoop:
        """MMEngine's, with errors that name the place in the config."""
        with naming_parts(self.cfg._cfg_dict, 'val_dataloader'):
            loop = super().build_val_loop(loop)
        give_fields(self.model, loop.dataloader.dataset)
        return loop

    def build_param_scheduler(self, scheduler) -> list | dict:
        """MMEngine's, with errors that name the place in the config.

        Raises:
            InputError: schedulers for an optimizer that is not there, or none for one that is.
        """
        if isinstance(scheduler, dict) and 'type' not in scheduler and set(scheduler) != set(self.optim_wrapper.keys()):
            raise InputError(f'param_scheduler has schedulers for {", ".join(sorted(scheduler)) or "no optimizer"}, optim_wrapper the '
                             f'optimizers {", ".join(sorted(self.optim_wrapper.keys()))}; give each of these its own, [] for none')
        with naming_parts(self.cfg._cfg_dict, 'param_scheduler'):
            return super().build_param_scheduler(scheduler)

    def build_optim_wrapper(self, optim_wrapper: dict | OptimWrapper) -> OptimWrapper | OptimWrapperDict:
        """Build the optimizers; the constructor is ``NetworkOptimizers`` unless the config says otherwise."""
        if isinstance(optim_wrapper, dict):
            optim_wrapper = copy.deepcopy(optim_wrapper)
            optim_wrapper.setdefault('constructor', 'NetworkOptimizers')
        with naming_parts(self.cfg._cfg_dict, 'optim_wrapper'):
            return super().build_optim_wrapper(optim_wrapper)

    def _build_param_scheduler(self, scheduler, optim_wrapper: OptimWrapper) -> list:
        configs = [scheduler] if isinstance(scheduler, dict) else scheduler
        for cfg in configs:
            if isinstance(cfg, dict) and cfg.setdefault('by_epoch', False):
                raise InputError(f'param_scheduler: {cfg.get("type")} has by_epoch=True, but training counts iterations; give begin '
                                 f'and end in iterations and leave by_epoch out')
            if isinstance(cfg, dict) and cfg.get('start_factor', 1) == 0:
                raise InputError(f'param_scheduler: {cfg.get("type")} has start_factor=0, and a rate of 0 cannot grow; give a small '
                                 f'number, such as 0.001')
        schedulers = super()._build_param_scheduler(configs, optim_wrapper)
        check_alone(schedulers)
        graph = getattr(bare(self.model), 'step_graph', None)
        if graph and (others := [s for s in schedulers if s.param_name != 'lr']):
            graph.give_up(f'{type(others[0]).__name__} of param_scheduler changes {others[0].param_name}, which a recorded step does '
                          f'not read again')
        return schedulers

    @staticmethod
    def build_dataloader(dataloader: DataLoader | dict, seed: int | None = None, diff_rank_seed: bool = False) -> DataLoader:
        """Build a dataset, its sampler and loader.

        Samples are stacked as by torch's default collate, with errors that name the key. Neither the loader nor its workers draw from
        the global random generators.

        Args:
            dataloader: config with ``dataset``, ``sampler`` (default: in order, once), ``batch_size``, ``num_workers`` (see
                :func:`toolkit.engine.workers.workers_of`) and further arguments of torch's DataLoader.
            seed: of the run; of the order, and of every data set and transform that was given none.
            diff_rank_seed: always False.

        Raises:
            InputError: unknown keys, empty dataset, items that follow each other in random order.
        """
        if isinstance(dataloader, DataLoader):
            return dataloader
        cfg = copy.deepcopy(dict(dataloader))
        check_keys(cfg, Loader.__annotations__, 'dataloader')
        cfg['num_workers'] = workers_of(cfg)
        dataset, sampler = cfg.pop('dataset'), cfg.pop('sampler', dict(type='DefaultSampler', shuffle=False))
        if isinstance(dataset, dict):
            dataset = build_dataset(dataset, seed)
        if hasattr(dataset, 'set_batch_size'):
            dataset.set_batch_size(cfg.get('batch_size', 1) * get_world_size())
        if isinstance(sampler, dict):
            sampler = DATA_SAMPLERS.build(sampler, default_args=dict(dataset=dataset, seed=seed))
        if getattr(dataset, 'ordered', False) and getattr(sampler, 'shuffle', False):
            raise InputError(f'the items of {type(dataset).__name__} follow each other: set sampler.shuffle=False of its dataloader')
        cfg.setdefault('persistent_workers', cfg['num_workers'] > 0)
        cfg.setdefault('pin_memory', torch.cuda.is_available())
        generator = torch.Generator().manual_seed((seed or 0) + get_rank())
        return DataLoader(dataset, sampler=sampler, generator=generator, worker_init_fn=ignore_signals, collate_fn=collate, **cfg)

    def _init_model_weights(self) -> None:
        model = bare(self.model)
        if hasattr(model, 'init_weights'):
            model.init_weights()
        for value in model.state_dict().values():
            if isinstance(value, torch.Tensor):
                broadcast(value)

    # ---- checkpoints ------------------------------------------------------------------------------------------------------------

    @property
    def gradients_pending(self) -> bool:
        """Whether some optimizer is inside an accumulation window, where no checkpoint would be exact."""
        return any(getattr(wrapper, 'pending', False) for wrapper in self.optim_wrapper.values())

    def save(self, path: str | Path | None = None, pointer: bool = True) -> Path:
        """Save everything needed to resume exactly; every process must call it.

        Args:
            path: default ``<work_dir>/iter_<iteration>.pth``.
            pointer: make it the one ``--resume`` finds.

        Returns:
            The path.

        Raises:
            SaveError: on every process: training has diverged, or the file cannot be written; the last checkpoint stays as it is.
        """
        path = Path(path or Path(self.work_dir) / f'iter_{self.iter:07d}.pth')
        state = training_state(self)
        on_main_process(lambda: self._write(path, state, pointer))
        return path

    def _write(self, path: Path, state: dict, pointer: bool) -> None:
        with unwrapped(self.model) as model:
            parameters = {name for name, _ in model.named_parameters()}
        check_finite(state, parameters, self.work_dir)
        self.call_hook('before_save_checkpoint', checkpoint=state)
        if pointer:  # first: until the file it names is there, the highest number counts, and after that the new file at once
            write_atomically(path.parent / POINTER, path.name + '\n')
        write_atomically(path, state)

    def save_checkpoint(self, out_dir: str, filename: str, **kwargs) -> None:
        """MMEngine's name for :meth:`save`."""
        self.save(Path(out_dir) / filename)

    def train(self) -> nn.Module:
        """Train. The optimizers and the checkpoint to start from are checked before the data, which may take long to be there.

        Returns:
            The model.

        Raises:
            InputError: whatever is wrong; processes that do not see the same checkpoint.
        """
        with ExitStack() as held:
            on_main_process(lambda: held.enter_context(to_itself(self.work_dir)))
            self.optim_wrapper = self.build_optim_wrapper(self.optim_wrapper)
            path, iteration = self._start_from(), None
            if path:
                checkpoint = check_checkpoint(self, path, self._resume)
                iteration = checkpoint['meta']['iter'] if self._resume else None
            if not (path and self._resume):
                with unwrapped(self.model) as model:
                    check_outside(starts(model, self.cfg.get('networks_from') or {}), self.work_dir)
            self._check_same_start(path, iteration)
            if self.begins_anew:
                on_main_process(lambda: drop_scalars(self.work_dir))
            self._set_aside(path, iteration)
            on_main_process(self._write_config)
            return super().train()

    def _write_config(self) -> None:
        path = config_file(self.work_dir, self.cfg.filename or f'{self.timestamp}.py')
        write_file(path, MARK + self.cfg.dump().encode())

    def dump_config(self) -> None:
        """Nothing yet: the config is written when the run has its work dir to itself."""

    def _check_same_start(self, path: Path | None, iteration: int | None) -> None:
        """See that all processes begin at the same place; none goes on before all have looked."""
        starts = all_gather_object((path.name if path else 'no checkpoint', iteration))
        if other := next((rank for rank, start in enumerate(starts) if start != starts[0]), None):
            raise InputError(f'process 0 begins with {starts[0][0]}, process {other} with {starts[other][0]}: {self.work_dir} must be '
                             f'one folder that all machines share; else copy the checkpoint to each of them and give it to --resume')

    def _set_aside(self, path: Path | None, iteration: int | None) -> None:
        config = Path(self.cfg.filename).name if self.cfg.filename else None
        if self.begins_anew:
            iteration = 0
        elif path and path.parent.resolve() != Path(self.work_dir).resolve():
            iteration = None  # it goes on with a run of another folder: what is in this one is not its own

        def work() -> Path | None:  # one process looks and moves: another one could see what has been moved already
            goes_on = path and iteration is not None and path == latest_checkpoint(self.work_dir)
            return None if goes_on else set_aside(self.work_dir, iteration, config)

        folder = on_main_process(work)
        if folder is not None:
            later = 'what an earlier run left' if iteration is None else f'checkpoints after iteration {iteration}'
            advice = '' if self.begins_anew else '. To go on with a run use --resume'
            self.logger.warning(f'{self.work_dir} holds {later}: moved to {folder}{advice}')
            if path and not path.exists():
                self._load_from = str(folder / path.name)

    def _start_from(self) -> Path | None:
        """The checkpoint to load, if any. A run that torchrun starts again after a failure goes on with its own latest one."""
        if int(os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')) and (last := latest_checkpoint(self.work_dir)):
            self._resume, self._load_from = True, str(last)
            self.logger.warning(f'started again by torchrun after a failure: going on from {last}')
        return checkpoint_file(self._load_from) if self._load_from else latest_checkpoint(self.work_dir) if self._resume else None

    def load_or_resume(self) -> None:
        """Resume from ``load_from`` or the latest checkpoint of the work dir, or load only the weights of ``load_from``; then those of
        ``networks_from``, unless a run goes on."""
        if self._has_loaded:
            return
        path = self._start_from()
        if path is not None and self._resume:
            self.resume(path)
        elif path is not None:
            self.load_checkpoint(path, strict=True)
        elif self._resume:
            self.logger.info(f'no checkpoint in {self.work_dir} yet: starting from the beginning')
        if not (path and self._resume):
            with unwrapped(self.model) as model:
                for start in load_starts(model, self.cfg.get('networks_from') or {}):
                    self.logger.info(f'{start.name} begins with the weights of {start.file}')
        self._has_loaded = True

    def resume(self, filename: str | Path, **kwargs) -> None:
        """Go on where a checkpoint left off; see :func:`toolkit.engine.checkpoint.restore_training_state`."""
        restore_training_state(self, filename)
        self._has_loaded = True
        self.logger.info(f'resumed {filename} at iteration {self.iter} of {self.max_iters}')

    def load_checkpoint(self, filename: str | Path, map_location: str = 'cpu', strict: bool = True, **kwargs) -> dict:
        """Load weights; see :func:`toolkit.engine.checkpoint.load_checkpoint`."""
        meta = load_checkpoint(filename, self.model, strict)
        self._has_loaded = True
        self.logger.info(f'loaded weights of {filename}' + (f' (iteration {meta["iter"]})' if 'iter' in meta else ''))
        return meta

    def set_randomness(self, seed: int | None = 0, **kwargs) -> None:
        """Seed everything; without a seed it is 0, so that every run can be repeated.

        Raises:
            InputError: a seed that cannot be; ``diff_rank_seed``, because processes share one order of data.
        """
        seed = 0 if seed is None else seed
        check_seed(seed, 'randomness.seed')
        if kwargs.pop('diff_rank_seed', False):
            raise InputError('randomness.diff_rank_seed=True: leave it out. All processes share one order of data, and the noise of '
                             'each process is its own anyway')
        super().set_randomness(seed, **kwargs)
