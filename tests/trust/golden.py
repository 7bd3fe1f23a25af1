"""Losses of ten steps of every method, tiny: a change that must not change numbers can't.

    python -m tests.trust.golden            # compare with golden.json
    python -m tests.trust.golden --write    # after a change that is meant to change numbers; those of other machines go
    python -m tests.trust.golden --add      # those of this kind of machine, beside others

On a kind of machine that is in the file (torch, CPU, one thread) every number must be equal. On another one sums are rounded in
another order, and training magnifies that: between AVX2 and AVX512 some losses differ by .5 percent after three steps and by 15 after
ten. So there the first :data:`NEAR` steps must be equal within a part in :data:`TOLERANCE` of those of a
machine with the same vector instructions, or else of the first one.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

import torch

from tests import test_configs as tiny

FILE = Path(__file__).with_name('golden.json')
STEPS, NEAR = 10, 3
TOLERANCE = 100
METHODS = (
    'stage2_pix2pixhd', 'textured', 'stage1_bicyclegan_up', 'cvae_gan', 'cyclegan', 'cyclegan_skeleton_video', 'feature_restoration',
    'pose_network', 'cycada_segmentor', 'deformable_gan', 'disentangled_person', 'everybody_dance_now', 'pg2', 'pix2pix',
    'posewarp', 'vid2vid')
"""Configs that together train every method. They take untrained networks where they build on other runs."""


def losses(name: str, clips: Path, folder: Path) -> list[dict[str, float]]:
    """What each of ten steps of a config returns."""
    from toolkit.engine.launch import build_runner, load_config
    cfg = load_config(next((tiny.ROOT / 'configs').rglob(f'{name}.py')))
    tiny.shrink(cfg, clips, lambda name: folder)
    cfg.train_cfg.max_iters, cfg.custom_hooks, cfg.load_from = STEPS, [], None
    cfg.default_hooks.checkpoint.interval = -1
    cfg.visualizer = dict(type='Visualizer', vis_backends=[])
    for key in ('val_dataloader', 'val_evaluator', 'val_cfg'):
        cfg._cfg_dict.pop(key, None)
    runner, found = build_runner(cfg, folder / name), []
    step = runner.model.train_step

    def noted(*args, **kwargs):
        outputs = step(*args, **kwargs)
        found.append({key: float(value) for key, value in outputs.items()})
        return outputs

    runner.model.train_step = noted
    runner.save = lambda *args, **kwargs: None
    runner.train()
    return found


def compare(name: str, found: list[dict[str, float]], expected: list[dict[str, float]], exact: bool) -> str:
    """Where the losses of a config differ first, in words; empty where they do not."""
    for step, (here, there) in enumerate(list(zip(found, expected, strict=True))[:None if exact else NEAR]):
        if list(here) != list(there):
            return f'{name}, step {step}: losses {list(here)}, expected {list(there)}'
        for key, value in here.items():
            if value != there[key] and (exact or abs(value - there[key]) > max(abs(there[key]), .05) / TOLERANCE):
                return f'{name}, step {step}: {key} is {value!r}, expected {there[key]!r}'
    return ''


def here() -> dict[str, str]:
    """What decides how sums are rounded."""
    from toolkit.engine.machine import machine
    return dict(machine(), gpu='not used', threads=str(torch.get_num_threads()))


def known() -> tuple[dict[str, list], bool]:
    """Losses of each config to compare with, and whether they are those of this kind of machine."""
    entries = json.loads(FILE.read_text()) if FILE.exists() else [dict(machine={}, losses={})]
    own = [entry for entry in entries if entry['machine'] == here()]
    alike = [entry for entry in entries if entry['machine'].get('cpu', '').split(', ')[-1] == here()['cpu'].split(', ')[-1]]
    return (own or alike or entries)[0]['losses'], bool(own)


def main(argv: list[str] | None = None) -> int:
    """Compare all methods, or write what they give."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('configs', nargs='*', help='only these')
    parser.add_argument('--write', action='store_true')
    parser.add_argument('--add', action='store_true')
    args = parser.parse_args(argv)
    from toolkit.synthetic.actions import SyntheticActions
    torch.set_num_threads(1)
    (expected, exact), bad, made = known(), [], {}
    others = [entry for entry in json.loads(FILE.read_text()) if entry['machine'] != here()] if args.add else []
    with tempfile.TemporaryDirectory() as folder:
        clips = Path(folder) / 'clips'
        SyntheticActions(**tiny.SIZE, actors=13, actions=16, frames=6).write(
            clips, actors=[0, 1], actions=[0, 1], num_workers=1, progress=False)
        for name in args.configs or METHODS:
            made[name] = losses(name, clips, Path(folder))
            if args.write or args.add:
                kept = expected if args.configs else {}
                FILE.write_text(json.dumps([*others, dict(machine=here(), losses=kept | made)], indent=0) + '\n')
            elif (problem := compare(name, made[name], expected[name], exact)):
                bad.append(problem)
    said = f'{len(made)} methods, {STEPS} steps each: {"equal" if exact else "near, on another machine"}'
    print(f'written to {FILE}' if args.write or args.add else '\n'.join(bad) or said)
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main())
