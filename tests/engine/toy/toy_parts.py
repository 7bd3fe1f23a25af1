"""A tiny GAN with noise, an image pool and an averaged generator, a dataset with its own randomness, and a metric."""

import hashlib
import multiprocessing
import os

import numpy as np
import torch
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from torch import nn

from toolkit.models.bare import unwrapped
from toolkit.models.base import VideoModel
from toolkit.registry import DATASETS, HOOKS, METRICS, MODELS
from toolkit.together import on_main_process


class Pool(nn.Module):
    """Keeps past pictures, as CycleGAN does; the fill level is extra state and may differ between processes."""

    def __init__(self, size):
        super().__init__()
        self.register_buffer('pictures', torch.zeros(size, 4))
        self.fill = 0

    def get_extra_state(self):
        return dict(fill=self.fill)

    def set_extra_state(self, state):
        self.fill = state['fill']

    def query(self, pictures, generator):
        out = pictures.clone()
        for i, picture in enumerate(pictures):
            if self.fill < len(self.pictures):
                self.pictures[self.fill] = picture
                self.fill += 1
            elif torch.rand((), generator=generator) < 0.5:
                k = int(torch.randint(len(self.pictures), (), generator=generator))
                out[i], self.pictures[k] = self.pictures[k].clone(), picture
        return out


@MODELS.register_module()
class ToyGAN(VideoModel):
    """Toy."""

    def __init__(self, noise=1.0, pool=4, dropout=0.0, width=8, ema=0.9, norm=False, turns_at=None, **kwargs):
        super().__init__(data_preprocessor=dict(type='BaseDataPreprocessor'), **kwargs)
        norms = [nn.BatchNorm1d(width), nn.BatchNorm1d(width)] if norm else [nn.Identity(), nn.Identity()]
        self.net_g = nn.Sequential(nn.Linear(6, width), norms[0], nn.Tanh(), nn.Dropout(dropout), nn.Linear(width, 4))
        self.net_d = nn.Sequential(nn.Linear(4, width), norms[1], nn.LeakyReLU(0.2), nn.Linear(width, 1))
        self.net_g_ema = self.ema_copy(self.net_g)
        self.pool = Pool(pool) if pool else None
        self.noise, self.decay, self.turns_at = noise, ema, turns_at

    @property
    def stage(self):
        if self.turns_at is None:
            return 0
        return int((self.iteration if isinstance(self.turns_at, int) else self.progress) >= self.turns_at)

    def train_step(self, data, optim_wrapper):
        data = self.data_preprocessor(data, True)
        x, real = data['x'], data['real']
        with optim_wrapper['g'].optim_context(self.net_g):
            fake = self.net_g(torch.cat([x, self.noise * self.randn(len(x), 2)], 1))
        with optim_wrapper['d'].optim_context(self.net_d):
            real_score = self.net_d(real)
        with self.frozen(self.net_d), optim_wrapper['d'].optim_context(self.net_d):
            score = self.net_d(fake)
        g = dict(gan=((score - 1)**2).mean(), l1=(fake - real).abs().mean())
        self.step(optim_wrapper, 'g', sum(g.values()))
        past = fake.detach().float()
        if self.pool is not None:
            past = self.pool.query(past, self.noise_generator(1))
        with optim_wrapper['d'].optim_context(self.net_d):
            d = dict(fake=(self.net_d(past)**2).mean(), real=((real_score - 1)**2).mean())
        self.step(optim_wrapper, 'd', sum(d.values()))
        self.update_ema(self.net_g, self.net_g_ema, self.decay, optim_wrapper['g'])
        return {**{f'g/{k}': v.detach() for k, v in g.items()}, **{f'd/{k}': v.detach() for k, v in d.items()}}

    def test_step(self, data):
        data = self.data_preprocessor(data)
        torch.rand(3)  # must not disturb training
        frames = np.full((4, 16, 16, 3), 100, np.uint8)
        frames[1:] += np.arange(3, dtype=np.uint8)[:, None, None, None]
        return [dict(clip='toy', fps=5.0, generated=frames, real=frames, pose_maps=frames, mask=frames[..., 0] > 0,
                     poses=np.zeros((4, 18, 3), np.float32), error=float(data['x'].abs().mean()))]


@DATASETS.register_module()
class ToyData(torch.utils.data.Dataset):
    """Toy."""

    takes_draw = True

    def __init__(self, size=10, seed=0):
        self.size, self.seed = size, seed

    def __len__(self):
        return self.size

    def __getitem__(self, key):
        index, draw = key if isinstance(key, tuple) else (key, 0)
        rng = np.random.default_rng((self.seed, draw, index))
        x = torch.from_numpy(rng.normal(size=4)).float()
        return dict(x=x, real=2 * x + 0.5, index=index, frames=torch.zeros(3))


@METRICS.register_module()
class ToyMetric(BaseMetric):
    """Toy."""

    def process(self, data_batch, data_samples):
        self.results += [s['error'] for s in data_samples]

    def compute_metrics(self, results):
        return dict(error=float(np.mean(results)))


@HOOKS.register_module()
class KillAt(Hook):
    """Kills the process, as a power cut would, or sends another signal, before an iteration begins."""

    def __init__(self, iteration, signal=9):
        self.iteration, self.signal = iteration, signal

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter == self.iteration:
            os.kill(os.getpid(), self.signal)


@HOOKS.register_module()
class FailAt(Hook):
    """Fails between two iterations, as a preview may (with 'alone' in process 1 only); or kills a data loading process, or makes a
    weight NaN (with 'fast' where the learning rate is above .003, with 'once' the first time), before an iteration."""

    priority = 'LOW'

    def __init__(self, iteration, what='preview'):
        self.iteration, self.what = iteration, what

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter == self.iteration and self.what == 'worker':
            os.kill(multiprocessing.active_children()[0].pid, 9)
        rate = runner.optim_wrapper['g'].optimizer.param_groups[0]['lr']
        if runner.iter == self.iteration and (self.what in ('nan', 'once') or self.what == 'fast' and rate > .003):
            self.what = self.what.replace('once', 'nothing')
            with unwrapped(runner.model) as model:
                model.net_g[0].bias.data[0] = float('nan')

    def after_iteration(self, runner):
        if runner.iter == self.iteration and self.what == 'preview':
            on_main_process(lambda: 1 // 0)
        if runner.iter == self.iteration and self.what == 'alone' and runner.rank == 1:
            raise RuntimeError('the disk of this machine is full')


@HOOKS.register_module()
class WriteWeights(Hook):
    """Writes a digest of all weights of this process after every iteration."""

    def __init__(self, folder):
        self.folder = folder

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        digest = hashlib.sha256(b''.join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest()
        with open(f'{self.folder}/rank{runner.rank}.txt', 'a') as file:
            file.write(f'{runner.iter} {digest}\n')
