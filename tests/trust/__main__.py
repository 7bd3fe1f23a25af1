"""``make trust``: many kills and many damaged files, in blocks that each have a seed, about 15 minutes of one core.

    python -m tests.trust                             # 300 kills, 20,000 damaged inputs
    python -m tests.trust --kills 60 --inputs 4000
    python -m tests.trust --block inputs 7            # one block again, with all that it says

A line for each finished block stands in ``--results``; a run that was stopped goes on after the last one. Damaged files are read in a
folder of its own, beside a home and a place of work with files in them, which must stay as they are.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.trust.garbage import snapshot

ROOT = Path(__file__).resolve().parent.parent.parent
TOOLS = ('train', 'prepare', 'render', 'generate', 'test', 'finetune')
KILLS, TIMES = 15, 4
"""Kills of a block, and how many times the inputs of the suite a block has."""
COUNTED = re.compile(r'^(\d+) kills, (\d+) rounds, (\d+) exact', re.M)


def surroundings(folder: Path) -> dict[str, str]:
    """A home and a place of work with files, and a folder for what is given; returns variables of the environment."""
    for name in ('home/.bashrc', 'home/.ssh/id', 'home/thesis.tex', 'here/data.json', 'here/last_checkpoint', 'here/model.pth'):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f'{name}, mine')
    (folder / 'given' / 'tmp').mkdir(parents=True)
    caches = ('XDG_CACHE_HOME', 'MPLCONFIGDIR', 'HYPOTHESIS_STORAGE_DIRECTORY', 'TORCHINDUCTOR_CACHE_DIR')
    given = folder / 'given'
    return dict.fromkeys(caches, str(given / 'cache')) | dict(HOME=str(folder / 'home'), TMPDIR=str(given / 'tmp'))


def read_block(seed: int) -> tuple[dict, str]:
    """Damaged inputs of one seed: what came of them, and what was said."""
    with tempfile.TemporaryDirectory(prefix='trust_') as name:
        folder, tally = Path(name), Path(name, 'tally.json')
        env = surroundings(folder) | dict(TRUST_SEED=str(seed), TRUST_TIMES=str(TIMES), TRUST_TALLY=str(tally))
        kept = {path: what for path, what in snapshot(folder).items() if not path.startswith('given')}
        tests = [str(ROOT / 'tests' / 'trust' / f'test_{kind}.py') for kind in ('files', 'values')]
        command = ['-m', 'pytest', '--rootdir', str(ROOT), '-c', str(ROOT / 'pyproject.toml'), '-p', 'no:cacheprovider', '--basetemp',
                   str(folder / 'given' / 'tmp' / 'pytest'), *tests]
        code, said = call(command, folder / 'here', env)
        found = json.loads(tally.read_text()) if tally.exists() else {}
        tally.unlink(missing_ok=True)
        changed = [path for path, what in (kept | snapshot(folder)).items() if not path.startswith('given') and kept.get(path) != what]
    nothing = dict(inputs=0, read=0, refused=0, slowest=0, most_mib=0)
    return dict(nothing | found, problems=(code != 0) + len(changed), changed=changed[:20]), said


def kill_block(tool: str, seed: int) -> tuple[dict, str]:
    """Kills of one tool and seed: what came of them, and what was said."""
    with tempfile.TemporaryDirectory(prefix='trust_') as folder:
        command = ['-m', 'tests.trust.kill_loop', tool, '--kills', str(KILLS), '--seed', str(seed), '--folder', folder + '/work']
        code, said = call(command, ROOT, {})
    counts = COUNTED.search(said)
    kills, rounds, exact = map(int, counts.groups()) if counts else (0, 0, 0)
    return dict(kills=kills, rounds=rounds, exact=exact, problems=int(code != 0)), said


def golden_block(seed: int) -> tuple[dict, str]:
    """Golden losses of every method."""
    code, said = call(['-m', 'tests.trust.golden'], ROOT, {})
    return dict(problems=int(code != 0)), said


def call(command: list[str], folder: Path, env: dict[str, str]) -> tuple[int, str]:
    """Exit code of a command of Python, and what it said."""
    path = os.pathsep.join([str(ROOT), os.environ.get('PYTHONPATH', '')])
    env = os.environ | dict(PYTHONPATH=path, OMP_NUM_THREADS='1', PYTHONDONTWRITEBYTECODE='1') | env
    done = subprocess.run([sys.executable, *command], cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors='replace')
    return done.returncode, done.stdout


def blocks(kills: int, inputs: int, known: list[dict]):
    """Part and seed of each block that is to be done, as long as there are too few kills or inputs."""
    done = {(line['part'], line['seed']) for line in known}
    yield from (('golden', seed) for seed in (0,) if ('golden', seed) not in done)
    for seed in range(1, 10**6):
        killed = {tool: sum(line['kills'] for line in known if line['part'] == tool) for tool in TOOLS}
        missing = [(tool, seed) for tool in TOOLS if killed[tool] < kills / len(TOOLS)]
        missing += [('inputs', seed)] if sum(line.get('inputs', 0) for line in known) < inputs else []
        yield from (block for block in missing if block not in done)
        if not missing:
            return


def table(known: list[dict]) -> str:
    """All blocks in Markdown, a row for each part."""
    rows = ['| part | seeds | tried | result | minutes of a core |', '|---|---|---|---|---|']
    for part in dict.fromkeys(line['part'] for line in known):
        lines = [line for line in known if line['part'] == part]
        total = {key: sum(line[key] for line in lines) for key, value in lines[0].items() if isinstance(value, (int, float))}
        if part in TOOLS:
            tried, result = f'{total["kills"]} kills', f'{total["exact"]} exact'
        elif part == 'inputs':
            slowest, most = (max(line[key] for line in lines) for key in ('slowest', 'most_mib'))
            tried = f'{total["inputs"]:,} inputs'
            result = f'{total["read"]:,} read, {total["refused"]:,} refused in one line; slowest {slowest:.1f} s, at most {most:,} MiB'
        else:
            tried, result = 'ten steps of each method', 'the same losses'
        bad = ', '.join(str(line['seed']) for line in lines if line['problems'])
        rows.append(f'| {part} | {lines[0]["seed"]} to {lines[-1]["seed"]} | {tried} | '
                    f'{result}{f"; **problems: {bad}**" if bad else ""} | {total["seconds"] / 60:.1f} |')
    return '\n'.join(rows)


def main(argv: list[str] | None = None) -> int:
    """Do the blocks that are missing, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--kills', type=int, default=300)
    parser.add_argument('--inputs', type=int, default=20000)
    parser.add_argument('--results', type=Path, default=ROOT / '.trust' / 'results.jsonl')
    parser.add_argument('--block', nargs=2, metavar=('PART', 'SEED'), help=f'only one: {", ".join(TOOLS)}, inputs or golden')
    args = parser.parse_args(argv)
    work = dict({tool: lambda seed, tool=tool: kill_block(tool, seed) for tool in TOOLS}, inputs=read_block, golden=golden_block)
    if args.block:
        found, said = work[args.block[0]](int(args.block[1]))
        print(said, found, sep='\n')
        return int(found['problems'] > 0)
    args.results.parent.mkdir(parents=True, exist_ok=True)
    known = [json.loads(line) for line in args.results.read_text().splitlines()] if args.results.exists() else []
    for part, seed in blocks(args.kills, args.inputs, known):
        start = sum(os.times()[2:4])
        found, said = work[part](seed)
        known.append(dict(part=part, seed=seed, **found, seconds=round(sum(os.times()[2:4]) - start, 1), date=time.strftime('%F %T')))
        with open(args.results, 'a', encoding='utf-8') as file:
            file.write(json.dumps(known[-1]) + '\n')
        print(known[-1], flush=True)
        if found['problems']:
            print(said[-6000:], flush=True)
        if not found.get('kills', 1) or not found.get('inputs', 1):
            break
    print(table(known))
    return int(any(line['problems'] for line in known))


if __name__ == '__main__':
    sys.exit(main())
