"""Two processes of one sample do what one process of two samples does, with every baseline: also where a stage of its training would
begin between gradients that are summed up to one update."""

import pytest
import torch
from mmengine.optim import OptimWrapperDict
from torch.utils.data import default_collate

from tests.models import (
    test_cvae_gan,
    test_deformable_gan,
    test_disentangled_person,
    test_everybody_dance_now,
    test_pg2,
    test_pix2pix,
    test_pose_training,
    test_posewarp,
    test_vid2vid,
)
from tests.models.baseline_parts import build, dataset_of
from tests.two_processes import in_two_processes
from toolkit.engine.optim import OptimWrapper
from toolkit.engine.wrapper import SeparateDDP
from toolkit.models.bare import unwrapped

ITERATIONS, ACCUMULATED = 6, 2
GAN = dict(g=['net_g'], d=['net_d'])
CODED = dict(g=['net_g', 'net_e'], d=['net_d'])
FRAMES = ', windows of 2'
POSE = dict(network=test_pose_training.NETWORK, augmentation=dict(), sigma=3.0)
CASES = {
    'EverybodyDanceNow': (dict(test_everybody_dance_now.OPTIONS, stages=(1 / 6, 1 / 2)), test_everybody_dance_now.NETWORKS, 2),
    'PG2': (dict(test_pg2.OPTIONS, refine_from=1 / 2), test_pg2.NETWORKS, 1),
    'DisentangledPerson': (dict(test_disentangled_person.OPTIONS, mappings_from=1 / 2), test_disentangled_person.NETWORKS, 1),
    'Vid2Vid': (test_vid2vid.OPTIONS, test_vid2vid.NETWORKS, 4),
    'PoseWarp': (test_posewarp.OPTIONS, GAN, 1),
    'DeformableGAN': (test_deformable_gan.OPTIONS, GAN, 1),
    'CVAEGAN': (test_cvae_gan.OPTIONS, CODED, 1),
    'Pix2Pix': (dict(test_pix2pix.OPTIONS, encoder=test_pix2pix.ENCODER), CODED, 1),
    f'PoseWarp{FRAMES}': (test_posewarp.OPTIONS, GAN, 2),
    f'CVAEGAN{FRAMES}': (test_cvae_gan.OPTIONS, CODED, 2),
    f'DisentangledPerson{FRAMES}': (dict(test_disentangled_person.OPTIONS, mappings_from=1 / 2), test_disentangled_person.NETWORKS, 2),
    f'PoseTraining{FRAMES}': (POSE, dict(h=['net_h']), 2)}
ALONE = {'PG2', 'Vid2Vid', 'DeformableGAN'}
"""Of these each process learns what its own samples say, by a mean over their masks or with dropout of its own; processes agree."""


def train(kind, clips, ranks, rank=0):
    """State of the model after its iterations as one of ``ranks`` processes, and the stage of each iteration."""
    options, networks, window = CASES[kind]
    model = build(kind.split(',')[0], **options)
    data = dataset_of(clips, model, window)
    wrapped = SeparateDDP(model) if ranks > 1 else model
    wrappers = OptimWrapperDict(**{
        name: OptimWrapper(torch.optim.SGD([p for n in names for p in getattr(model, n).parameters()], 1e-3), ACCUMULATED)
        for name, names in networks.items()})
    wrapped.train()
    stages = []
    for i in range(ITERATIONS):
        counts = {name: wrapper.inner_count for name, wrapper in wrappers.items()}
        model.set_train_state(0, rank, i, ITERATIONS, between=not any(wrapper.pending for wrapper in wrappers.values()))
        stages.append(model.stage)
        samples = [(6 * i + 5 * j) % len(data) for j in range(2)]
        wrapped.train_step(default_collate([data[s] for s in samples[rank::ranks]]), wrappers)
        for name, wrapper in wrappers.items():
            wrapper.follow(counts[name], i + 1)
    with unwrapped(wrapped) as bare:
        return {key: value.clone() for key, value in bare.state_dict().items() if torch.is_tensor(value)}, stages


@pytest.mark.parametrize('kind', CASES)
def test_two_processes_do_what_one_does(kind, clips, tmp_path):
    in_two_processes(lambda rank: torch.save(train(kind, clips, 2, rank)[0], tmp_path / f'{rank}.pth'), tmp_path)
    one, stages = train(kind, clips, 1)
    assert all(stages[i] == stages[i - 1] for i in range(1, ITERATIONS, ACCUMULATED)), 'a window has one stage'
    first, second = (torch.load(tmp_path / f'{rank}.pth', weights_only=True) for rank in range(2))
    start = build(kind.split(',')[0], **CASES[kind][0]).state_dict()
    for key, value in one.items():
        assert torch.allclose(first[key], second[key], atol=1e-6), f'processes differ in {key}'
        if kind.split(',')[0] not in ALONE:
            moved = (value - start[key]).abs().max()  # rounding turns a ReLU on now and then
            assert torch.allclose(first[key], value, atol=1e-6 + .02 * float(moved)), key
