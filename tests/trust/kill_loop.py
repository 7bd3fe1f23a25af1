"""Kill a command again and again at places drawn by a seed, let it go on, and compare what it leaves with an uninterrupted run.

    python -m tests.trust.kill_loop --kills 30 --seed 0            # all tools; a line each
    python -m tests.trust.kill_loop train test --kills 100
    python -m tests.trust.kill_loop render --every             # at each change of a file, one after the other

Each attempt is a process of its own, forked where everything is imported already. It is ended by SIGKILL, either at the n-th file that
it opens for writing, renames, makes or removes, or after some time. When enough attempts were killed, one goes to its end. Then every
file must be there with the same content, no other file, and no process may be left.
"""

import argparse
import hashlib
import json
import os
import random
import re
import select
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

SEEN = {'open', 'os.rename', 'os.remove', 'os.mkdir', 'os.rmdir', 'os.truncate'}
RUN = re.compile(r'\d{8}_\d{6}')
"""Name of the folder of a start in a work dir."""
UNTOLD_KEYS = ('/meta/time', '/meta/config/resume', '/meta/config/load_from')
"""Of checkpoints: the run that goes on was called in another way."""
UNTOLD = ('.log', '.run.lock', '.report.lock', '.synthetic.lock')
"""Endings of files that are not compared: text logs, and locks that stay."""
GONE = 10.0
"""Seconds that processes of a killed one may need to end."""
LIMIT = 300.0
TIMES = ('time', 'data_time', 'date')


@dataclass
class Case:
    """A command that is killed.

    Attributes:
        name: of the tool.
        work: called in the forked process with whether an attempt was made before; returns an exit code.
        prepare: puts inputs into an empty folder.
        kept: names of inputs, which are not compared.
    """

    name: str
    work: Callable[[bool], int | None]
    prepare: Callable[[Path], None] = lambda folder: None
    kept: Sequence[str] = ()


@dataclass
class Outcome:
    """What came of a case: rounds, kills, how many of them ended as if nothing had happened, and every difference."""

    name: str
    kills: int = 0
    rounds: int = 0
    exact: int = 0
    problems: list[str] = field(default_factory=list)
    seconds: float = 0.0


def changed_path(event: str, args: tuple) -> str | None:
    """The file that an event of :func:`sys.addaudithook` changes, if it is one that does."""
    if event not in SEEN or not isinstance(args[0], (str, bytes, os.PathLike)):
        return None
    if event == 'open' and not args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        return None
    return os.path.abspath(os.fsdecode(args[0]))


def count_writes(folder: Path, kill_at: int | None) -> list[int]:
    """Count what this process does to files of a folder from now on; at the ``kill_at``-th it kills itself."""
    count, inside = [0], str(folder.resolve()) + os.sep

    def see(event: str, args: tuple) -> None:
        if (changed_path(event, args) or '').startswith(inside):
            count[0] += 1
            if count[0] == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(see)
    return count


def attempt(case: Case, folder: Path, again: bool, kill_at: int | None = None, after: float | None = None) -> tuple[int, int, str]:
    """Run a case in a process of its own.

    Args:
        case: what to run.
        folder: where.
        again: an attempt was made before.
        kill_at: kill it at so many changes of files.
        after: kill it after so many seconds.

    Returns:
        Exit code (negative: signal), changes of files that were counted (0 where it was killed), and what it said.
    """
    said, (read, write) = tempfile.TemporaryFile(), os.pipe()
    child = os.fork()
    if child == 0:
        live(case, folder, again, kill_at, said.fileno(), write)
    os.close(write)
    end = os.pidfd_open(child)
    if not select.select([end], [], [], LIMIT if after is None else after)[0]:
        os.kill(child, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    os.close(end)
    count = int(os.read(read, 20) or 0) if select.select([read], [], [], 0)[0] else 0
    os.close(read)
    said.seek(0)
    text = said.read().decode(errors='replace')
    said.close()
    left = wait_for_end(child)
    return (code if not left else 999), count, text + (f'\nprocesses {left} are left' if left else '')


def live(case: Case, folder: Path, again: bool, kill_at: int | None, said: int, write: int) -> None:
    """Life of a forked process: never returns."""
    code = 1
    try:
        os.setsid()
        os.dup2(said, 1)
        os.dup2(said, 2)
        sys.stdout, sys.stderr = (os.fdopen(n, 'w', buffering=1, closefd=False) for n in (1, 2))
        os.chdir(folder)
        count = count_writes(folder, kill_at)
        code = case.work(again) or 0
        os.write(write, str(count[0]).encode())
    except SystemExit as end:
        code = end.code or 0
        os.write(write, str(count[0]).encode())
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def wait_for_end(session: int) -> list[int]:
    """Processes of a session that do not end by themselves; they are killed."""
    until = time.monotonic() + GONE
    while left := members(session):
        if time.monotonic() > until:
            for process in left:
                os.kill(process, signal.SIGKILL)
            return left
        time.sleep(.02)
    return []


def members(session: int) -> list[int]:
    """Processes of a session that have not ended."""
    found = []
    for process in filter(str.isdigit, os.listdir('/proc')):
        try:
            state = Path('/proc', process, 'stat').read_text().rpartition(')')[2].split()
        except OSError:
            continue
        if int(state[3]) == session and state[0] != 'Z':
            found.append(int(process))
    return found


# ---- comparing ------------------------------------------------------------------------------------------------------------------

def flat(value, where: str = ''):
    """Nested dicts and lists as (path, leaf) pairs."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, (list, tuple)) else None
    if items is None:
        yield where, value
    else:
        for key, item in items:
            yield from flat(item, f'{where}/{key}')


def content(path: Path) -> str:
    """A hash of what a file says, without times of day."""
    digest = hashlib.sha256()
    if path.suffix == '.pth':
        for key, value in flat(torch.load(path, weights_only=True)):
            if key not in UNTOLD_KEYS:
                digest.update(key.encode() + (value.contiguous().flatten().view(torch.uint8).numpy().tobytes() if
                                              isinstance(value, torch.Tensor) and value.numel() else repr(value).encode()))
    elif path.name == 'scalars.json':
        for line in path.read_text().splitlines():
            digest.update(json.dumps({k: v for k, v in json.loads(line).items() if k not in TIMES}).encode())
    elif path.suffix == '.json':
        for key, value in flat(json.loads(path.read_text())):
            if key.rpartition('/')[2] not in TIMES:
                digest.update(f'{key} {value!r}'.encode())
    elif path.suffix == '.npz':
        import numpy as np
        for key, value in sorted(np.load(path).items()):
            digest.update(f'{key} {value.dtype} {value.shape}'.encode() + value.tobytes())
    else:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def snapshot(folder: Path, kept: Sequence[str]) -> dict[str, str]:
    """Name -> content of all files of a folder, but of inputs, locks and text logs. Folders of starts count as one."""
    found = {}
    for path in sorted(p for p in folder.rglob('*') if p.is_file() or p.is_symlink()):
        name = path.relative_to(folder)
        told = not path.name.endswith(UNTOLD) and not path.name.startswith('events.out')
        if name.parts[0] not in kept and told and not (path.suffix == '.py'):
            found[RUN.sub('RUN', str(name))] = content(path)
    return found


def differences(found: dict[str, str], expected: dict[str, str]) -> list[str]:
    """What differs, in words."""
    return [*(f'{name}: missing' for name in sorted(expected.keys() - found.keys())),
            *(f'{name}: left over' for name in sorted(found.keys() - expected.keys())),
            *(f'{name}: differs' for name in sorted(found.keys() & expected.keys()) if found[name] != expected[name])]


# ---- the loop -------------------------------------------------------------------------------------------------------------------

def run(case: Case, folder: Path, kills: int, seed: int, most: int = 8, show: Callable[[str], None] = print,
        every: bool = False) -> Outcome:
    """Kill a case until ``kills`` attempts were killed, in rounds of 1 to ``most`` kills that end with an attempt that goes through.

    Args:
        case: what to run.
        folder: an empty one.
        kills: at least so many.
        seed: of the places.
        most: kills of a round.
        show: told of each problem.
        every: kill once at each change of a file instead, in rounds of one kill.
    """
    rng, outcome, start = random.Random(f'{seed} {case.name}'), Outcome(case.name), time.monotonic()
    whole = folder / 'whole'
    whole.mkdir(parents=True)
    case.prepare(whole)
    begin = time.monotonic()
    code, writes, text = attempt(case, whole, again=False)
    seconds = time.monotonic() - begin
    if code:
        outcome.problems.append(f'uninterrupted: exit code {code}\n{text}')
        show(f'{case.name}: {outcome.problems[-1]}')
        return outcome
    expected = snapshot(whole, case.kept)
    places = iter(range(1, writes + 1))
    while (outcome.rounds < writes if every else outcome.kills < kills) and len(outcome.problems) < 5:
        place = folder / f'round_{outcome.rounds}'
        place.mkdir()
        case.prepare(place)
        told, tries, killed, problems = [], 0, 0, []
        for _ in range(1 if every else min(rng.randint(1, most), kills - outcome.kills)):
            by_time = not every and rng.random() < .4
            kill_at, after = (None, rng.uniform(0, seconds)) if by_time else (next(places) if every else rng.randint(1, writes), None)
            code, _, text = attempt(case, place, tries > 0, kill_at, after)
            tries += 1
            told.append(f'{f"{after:.3f} s" if by_time else kill_at}: {code}')
            if code == -signal.SIGKILL:
                killed += 1
            else:
                if code:
                    problems.append(f'exit code {code} before the kill\n{text[-1500:]}')
                break
        else:
            code, _, text = attempt(case, place, True)
            if code:
                problems.append(f'exit code {code} at the end\n{text[-1500:]}')
        outcome.kills += killed
        problems = problems or differences(snapshot(place, case.kept), expected)
        if problems:
            outcome.problems.append(f'round {outcome.rounds} ({", ".join(told)}): ' + '; '.join(problems[:6]))
            show(f'{case.name}: {outcome.problems[-1]}')
        else:
            outcome.exact += killed
            shutil.rmtree(place)
        outcome.rounds += 1
    outcome.seconds = time.monotonic() - start
    return outcome


def main(argv: list[str] | None = None) -> int:
    """Parse the command line, kill, print a line for each tool."""
    from tests.trust.victims import CASES
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('tools', nargs='*', metavar='TOOL', help=f'of {", ".join(CASES)} (default: all)')
    parser.add_argument('--kills', type=int, default=6, help='of each tool (default 6)')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--every', action='store_true', help='kill once at each change of a file instead')
    parser.add_argument('--folder', type=Path, help='where to work and to keep what differs (default: a temporary folder)')
    args = parser.parse_args(argv)
    folder, outcomes = args.folder or Path(tempfile.mkdtemp(prefix='kills_')), []
    for name in args.tools or CASES:
        (folder / name).mkdir(parents=True)
        outcomes.append(outcome := run(CASES[name](folder / name), folder / name, args.kills, args.seed, every=args.every))
        print(f'{name}: {outcome.kills} kills in {outcome.rounds} rounds, {outcome.exact} exact, {outcome.seconds:.0f} s', flush=True)
    bad = sum(len(outcome.problems) for outcome in outcomes)
    print(f'{sum(o.kills for o in outcomes)} kills, {sum(o.rounds for o in outcomes)} rounds, {sum(o.exact for o in outcomes)} exact, '
          f'seed {args.seed}')
    if bad:
        print(f'what differs is in {folder}')
    elif not args.folder:
        shutil.rmtree(folder)
    return 1 if bad else 0


if __name__ == '__main__':
    torch.set_num_threads(1)
    raise SystemExit(main())
