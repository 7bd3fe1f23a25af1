"""Workers that share the units of a benchmark, and the process that starts them, watches them and says how long it takes."""

import contextlib
import gc
import math
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from toolkit.benchmark.claims import Claim, is_gone, owner
from toolkit.benchmark.plan import Unit
from toolkit.doors import read_json
from toolkit.engine.needs import BeingMade
from toolkit.files import make_folder, write_json
from toolkit.machine import cores
from toolkit.structures import InputError, MissingWeightsError

Job = tuple[Path, Unit]
UNITS = 'units'
RESULT = 'result.json'
RUN = 'run'
REHEARSAL = 'rehearsal'
PLAN = 'units.json'
REHEARSED = 'rehearsed'
MOST_DEATHS = 2
"""A unit with which so many processes died is not tried again."""


def folder_of(out: Path, unit: Unit) -> Path:
    """Where a unit's result and frames are."""
    return out / UNITS / unit.name


def result_of(out: Path, unit: Unit, since: float | None = None) -> dict[str, Any] | None:
    """A unit's result, None where there is none.

    Args:
        out: of the benchmark.
        unit: which.
        since: an error from before this time does not count: it is tried again.
    """
    path = folder_of(out, unit) / RESULT
    if not path.exists():
        return None
    result = read_json(path)
    return None if since is not None and result.get('error') and result['time'] < since else result


def work(plan: Path, device: str) -> None:
    """Rehearse each row on each clips, then do units of a plan until none is left.

    Args:
        plan: of :func:`write_plan`.
        device: ``'cuda'`` or ``'cpu'``.

    Raises:
        KeyboardInterrupt: the user stopped it; the claim is given back, and training is saved.
    """
    content = read_json(plan)
    since, jobs = content['since'], [(Path(job['out']), Unit(**job['unit'])) for job in content['jobs']]
    _end_with_parent()
    with _stopped_by_parent():
        for out, unit in _to_rehearse(jobs, since):
            _attempt(out, unit, device, since, wait=False, attempt=_rehearsed)
        while True:
            left = [(out, unit) for out, unit in jobs if result_of(out, unit, since) is None]
            # a worker waits for what another one trains only when nothing else is left to do
            if not any(_attempt(out, unit, device, since, wait) for wait in (False, True) for out, unit in left):
                if not left:
                    return
                time.sleep(2)


def _to_rehearse(jobs: Sequence[Job], since: float) -> list[Job]:
    """A unit of each row and clips of which none has begun: what it fails by is known before hours of the others."""
    units: dict[tuple, list[Job]] = {}
    for out, unit in jobs:
        units.setdefault((out, unit.row, unit.clip), []).append((out, unit))

    def begun(out: Path, unit: Unit) -> bool:
        return result_of(out, unit, since) is not None or any((folder_of(out, unit) / name).exists() for name in (RUN, REHEARSED))

    return [same[0] for same in units.values() if not any(begun(*job) for job in same)] if len(units) > 1 else []


def _attempt(out: Path, unit: Unit, device: str, since: float, wait: bool = True,
             attempt: Callable[[Unit, Path, str, bool], dict[str, Any] | None] | None = None) -> bool:
    """Do a unit, or rehearse it, unless somebody else has it, or trains what it builds on and this process is not to wait."""
    folder = folder_of(out, unit)
    claim = Claim(folder)
    if not claim.take():
        return False
    try:
        if result_of(out, unit, since) is not None:
            return False
        if claim.deaths >= MOST_DEATHS:
            result = dict(error=f'{claim.deaths} processes died while they did it: out of memory?')
        else:
            try:
                result = (attempt or _tried)(unit, folder, device, wait)
            except BeingMade:
                return False
        if result is not None and claim.owned():
            _write(folder / RESULT, unit, result, device)
            if 'error' not in result:
                shutil.rmtree(folder / RUN, ignore_errors=True)
            elif _is_lost(device):
                raise SystemExit(1)
        return True
    finally:
        claim.release()


def _write(path: Path, unit: Unit, result: dict, device: str) -> None:
    said = dict(row=unit.row, clip=unit.clip, seed=unit.seed, time=time.time(), host=socket.gethostname(), device=_named(device))
    try:
        write_json(path, {**result, **said}, lasting=True)
    except ValueError as error:  # a number is not finite
        write_json(path, dict(said, error=f'a measured number is not finite: training has diverged? ({error})'), lasting=True)


def _tried(unit: Unit, folder: Path, device: str, wait: bool) -> dict[str, Any]:
    from toolkit.benchmark.unit import run_unit
    print(f'==== {unit.row} on {unit.clip}, seed {unit.seed}', flush=True)
    return _result(lambda: run_unit(unit, folder / RUN, device, wait))


def _rehearsed(unit: Unit, folder: Path, device: str, wait: bool) -> dict[str, Any] | None:
    from toolkit.benchmark.unit import rehearse
    if (folder / REHEARSED).exists():  # another process has just done it
        return None
    print(f'---- rehearsing {unit.row} on {unit.clip}', flush=True)
    result = _result(lambda: rehearse(unit, folder / REHEARSAL, device, wait))
    if result is None:
        (folder / REHEARSED).touch()
    return result


def _is_lost(device: str) -> bool:
    """Whether this process gets nothing but errors from its GPU, as after a failed assertion there: all units that it would take now
    would fail. Another process can use the GPU."""
    if not device.startswith('cuda'):
        return False
    import torch
    try:
        torch.cuda.synchronize()
    except RuntimeError:
        return True
    return False


def _result(run: Callable[[], dict[str, Any] | None]) -> dict[str, Any] | None:
    """What a run returns, or its error."""
    try:
        return run()
    except BeingMade:
        raise
    except (InputError, MissingWeightsError) as error:
        failed = dict(error=str(error))
    except Exception as error:  # of any kind: one row that fails must not end the others
        traceback.print_exc()
        failed = dict(error=f'{type(error).__name__}: {error}'[:500], traceback=traceback.format_exc())
    gc.collect()  # the memory of what failed is for the next one
    return failed


def _named(device: str) -> str:
    import torch
    return torch.cuda.get_device_name() if device.startswith('cuda') else f'CPU, {torch.get_num_threads()} threads'


def _end_with_parent() -> None:
    """End this process, as Ctrl-C does, when the one that started it is gone."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(2)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()


@contextlib.contextmanager
def _stopped_by_parent() -> Iterator[None]:
    """Within the context Ctrl-C and a closed terminal, which reach all processes of a command, are left to the one that started this
    one: it passes them on, and a second signal would come while the first one is obeyed, and the claim is given back."""
    signals = [getattr(signal, name) for name in ('SIGINT', 'SIGHUP') if hasattr(signal, name)]
    here = threading.current_thread() is threading.main_thread()
    old = {number: signal.signal(number, signal.SIG_IGN) for number in signals if here}
    try:
        yield
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)


def write_plan(folder: Path, jobs: Sequence[Job]) -> Path:
    """Write what workers of this machine read: the units, and from when on errors count."""
    make_folder(folder)
    path = folder / f'{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}-{PLAN}'
    write_json(path, dict(owner=owner(), since=time.time(), jobs=[dict(out=str(out), unit=asdict(unit)) for out, unit in jobs]))
    return path


def tidy(out: Path) -> None:
    """Remove what processes that were killed left in the folder of a benchmark: what a unit was trained in, and its claim, where its
    result is kept; and plans of this machine.

    What somebody is at is left alone, and so is a unit without a result, with which the next one goes on.

    Args:
        out: of the benchmark.
    """
    for path in out.glob(f'*-{PLAN}'):
        with contextlib.suppress(InputError):
            if is_gone(read_json(path).get('owner', {})):
                path.unlink(missing_ok=True)
    for result in (out / UNITS).glob(f'*/{RESULT}'):
        claim = Claim(result.parent)
        left = [path for path in result.parent.iterdir()
                if path.name in (RUN, REHEARSAL, claim.path.name) or path.name.startswith(('.claim.', '.now.'))]
        if not left or read_json(result).get('error') or not claim.take():
            continue
        try:
            for path in left:
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                elif path != claim.path:
                    path.unlink(missing_ok=True)
        finally:
            claim.release()


class Workers:
    """Processes of this machine that do units.

    Args:
        jobs: the units, each with the folder of its benchmark.
        count: how many processes.
        device: ``'cpu'``, ``'cuda'`` or ``'cuda:1'``; None for the GPUs in turn, or the CPU where there is none.
    """

    def __init__(self, jobs: Sequence[Job], count: int, device: str | None) -> None:
        self.jobs, self.folder, self.count, self.device = list(jobs), jobs[0][0], count, device
        self.results: dict[Job, dict] = {}
        self.plan, self.since = write_plan(self.folder, jobs), 0.0
        self._processes: dict[int, subprocess.Popen] = {}
        self._deaths = 0

    def run(self, tell: Callable[[str], None], minutes: float | None = None, say: Callable[[str], None] = print) -> None:
        """Start them and wait until all units are done, by them or by others who share the folders.

        Args:
            tell: is told the progress in one line, now and then.
            minutes: stop after so many, with what is being done saved.
            say: is told each error when it comes.

        Raises:
            InputError: workers end without doing anything.
            KeyboardInterrupt: after the workers have saved what they do.
        """
        self.since, end = read_json(self.plan)['since'], time.monotonic() + 60 * (minutes or math.inf)
        try:
            while len(self.results) < len(self.jobs) and time.monotonic() < end:
                for failed in self._look():
                    say(failed)
                tell(self.progress())
                self._keep_running()
                time.sleep(1)
        finally:
            self._stop()
            self.plan.unlink(missing_ok=True)
        self._look()

    def _look(self) -> list[str]:
        """Take in what has been done; a line of each error that came."""
        new = {job: result for job in self.jobs if job not in self.results and (result := result_of(*job, self.since)) is not None}
        self.results |= new
        return [f'failed: {unit.row} on {unit.clip}, seed {unit.seed}: {result["error"]}'
                for (_, unit), result in new.items() if result.get('error')]

    def _keep_running(self) -> None:
        left = len(self.jobs) - len(self.results)
        for number, process in list(self._processes.items()):
            if process.poll() is not None:
                del self._processes[number]
                if process.returncode == 2:
                    raise InputError(f'a worker cannot work; its last words are in {self._log(number)}')
                self._deaths += process.returncode != 0
        if self._deaths > 2 * self.count + MOST_DEATHS * len(self.jobs):
            raise InputError(f'workers end again and again; see {self._log(0).parent}')
        while len(self._processes) < min(self.count, left):
            self._start()

    def _start(self) -> None:
        number = next(n for n in range(self.count) if n not in self._processes)
        log = self._log(number)
        log.parent.mkdir(parents=True, exist_ok=True)
        environment, device = placed(self.device, number)
        environment.setdefault('OMP_NUM_THREADS', str(max(1, cores() // self.count)))
        with open(log, 'a') as file:
            self._processes[number] = subprocess.Popen(
                [sys.executable, '-m', 'toolkit', 'benchmark', str(self.plan), '--work', '--device', device], stdout=file,
                stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env=environment)

    def _log(self, number: int) -> Path:
        return self.folder / 'logs' / f'{self.plan.name.removesuffix(f"-{PLAN}")}-{number}.log'  # two commands may run here at a time

    def _stop(self) -> None:
        """Have the workers save what they do and end; those without work end by themselves."""
        busy = len(self.results) < len(self.jobs)
        for process in self._processes.values():
            if busy and process.poll() is None:
                with contextlib.suppress(OSError):
                    process.send_signal(signal.SIGTERM)
        for process in self._processes.values():
            try:
                process.wait(120)
            except subprocess.TimeoutExpired:
                process.kill()

    def progress(self) -> str:
        """Units done, errors, and the time left as far as those done tell."""
        errors = sum(bool(result.get('error')) for result in self.results.values())
        text = f'{len(self.results)} of {len(self.jobs)} units' + (f', {errors} with errors' if errors else '')
        left = [unit for out, unit in self.jobs if (out, unit) not in self.results]
        known = [(unit, result['total_seconds']) for (_, unit), result in self.results.items() if 'total_seconds' in result]
        seconds = expected_seconds(left, known) if left else None
        return text if seconds is None else f'{text}, about {_spoken(seconds / max(self.count, 1))} left'


def expected_seconds(left: Sequence[Unit], known: Sequence[tuple[Unit, float]]) -> float | None:
    """Seconds that units will take in one process: as long as others of their row did; else as others of their size.

    Args:
        left: units to come.
        known: units that are done, and their seconds.

    Returns:
        None where nothing is known.
    """
    if not known:
        return None
    size = sum(unit.size for unit, _ in known)
    rate = sum(seconds for _, seconds in known) / size if size else None
    mean = sum(seconds for _, seconds in known) / len(known)

    def of(unit: Unit) -> float:
        same = [seconds for other, seconds in known if other.labels == unit.labels]
        return sum(same) / len(same) if same else unit.size * rate if rate and unit.size else mean

    return sum(map(of, left))


def placed(device: str | None, number: int, gpus: int | None = None) -> tuple[dict[str, str], str]:
    """Environment and device of a worker: it sees one GPU alone, or none.

    Args:
        device: what the user asked for.
        number: of the worker; without a wish workers take the GPUs in turn.
        gpus: of this machine; None looks.
    """
    environment = dict(os.environ)
    if device == 'cpu':
        return environment | dict(CUDA_VISIBLE_DEVICES=''), 'cpu'
    if gpus is None:
        import torch
        gpus = torch.cuda.device_count()
    if device is None and not gpus:
        return environment, 'cpu'
    index = int(device.partition(':')[2]) if device and ':' in device else number % max(gpus, 1)
    if index >= gpus:
        raise InputError(f'--device {device}: this machine has {gpus} GPUs')
    visible = environment.get('CUDA_VISIBLE_DEVICES')
    chosen = visible.split(',')[index] if visible else str(index)
    return environment | dict(CUDA_VISIBLE_DEVICES=chosen), 'cuda'


def _spoken(seconds: float) -> str:
    return f'{seconds:.0f} s' if seconds < 90 else f'{seconds / 60:.0f} min' if seconds < 5400 else f'{seconds / 3600:.1f} h'
