"""Jobs: who waits, what runs, how far it is, and how it ends."""

import itertools
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from toolkit.structures import InputError
from toolkit.web.sessions import Limits

WAITING, RUNNING, DONE, FAILED, STOPPED = 'waiting', 'running', 'done', 'failed', 'stopped'
GRACE = 30
"""Seconds that a job has to end by itself after it was told to."""
KEPT = 20
"""Lines that a job may say; later ones push out the first."""
UPLOADS = 4
"""Jobs of a session that have not ended, at which one more upload is refused; another job is refused at one."""
LONGEST_LOG = 10**7
"""Bytes of the log from which on it begins anew; the last one is kept."""
SHOWN = 2 * UPLOADS
"""Jobs of a session that are remembered when they have ended."""


@dataclass
class Job:
    """A piece of work of a session.

    Attributes:
        session: id of whose it is.
        task: name of a function of :mod:`toolkit.web.work`, where it is not done already.
        arguments: of it.
        title: what to call it.
        then: called with the job and its last state, before the job says so itself.
        words: what a message of the work says to the visitor.
        state: see the constants of this file.
        stage, done, total: how far it is.
        lines: what it said.
        value: what the function returned.
        error: why it failed.
        number: jobs are counted.
        role: what an upload is for.
        late: everybody else's jobs come first.
        told: the pages that have shown what came of it, see ``tab`` of :class:`toolkit.web.sessions.Session`.
        started, ended: seconds of ``time.monotonic``.
    """

    session: str
    task: str
    arguments: dict
    title: str
    then: Callable[['Job', str], None] | None = None
    words: Callable[[str], str] = str
    state: str = WAITING
    stage: str = ''
    done: int = 0
    total: int = 0
    lines: list[str] = field(default_factory=list)
    value: object = None
    error: str = ''
    number: int = 0
    started: float = 0.
    ended: float = 0.
    role: str = ''
    late: bool = False
    told: set[int | None] = field(default_factory=set)
    process: multiprocessing.Process | None = None
    stopping: bool = False

    @property
    def alive(self) -> bool:
        """Whether it waits or runs."""
        return self.state in (WAITING, RUNNING)


def _ended(code: int) -> str:
    """Why a process said nothing before it ended, as far as its exit code tells."""
    if code == -signal.SIGKILL:
        return f'the work was killed (exit code {code}); most likely there was not enough memory'
    return (f'the work ended at its start or failed (exit code {code}); the log of the server says why. Where a script starts the '
            f"server, the start must stand below if __name__ == '__main__':, or each job runs the script again")


class Jobs:
    """Runs jobs in the order in which they came, each in a process of its own. A session has one at a time, but uploads may
    wait behind it: a file that has come is not thrown away.

    Args:
        limits: how many at the same time, how many may wait, and how long one may take.
        log: file for what jobs print.
    """

    def __init__(self, limits: Limits, log: Path) -> None:
        self.limits, self.log = limits, log
        self._context = multiprocessing.get_context('forkserver')
        self._context.set_forkserver_preload(['toolkit.web.work'])
        self._changed, self._numbers, self._closed = threading.Condition(), itertools.count(1), False
        self._waiting: list[Job] = []
        self._jobs: dict[str, list[Job]] = {}
        self._threads = [threading.Thread(target=self._serve, daemon=True) for _ in range(limits.jobs)]
        for thread in self._threads:
            thread.start()

    def submit(self, job: Job) -> Job:
        """Put a job at the end of the queue.

        Raises:
            InputError: see :meth:`check`.
        """
        with self._changed:
            self.check(job.session, job.task, job.late)
            self._remember(job, anew=not any(one.alive for one in self.of(job.session)))
            self._waiting.append(job)
            self._waiting.sort(key=lambda waiting: waiting.late)
            self._changed.notify_all()
        return job

    def note(self, job: Job) -> None:
        """Remember a piece of work that is done already, beside the other jobs of its session."""
        with self._changed:
            self._remember(job)

    def _remember(self, job: Job, anew: bool = False) -> None:
        """Count a job, and list it behind the others of its session; ``anew`` in place of all that have ended."""
        job.number = next(self._numbers)
        mine = self.of(job.session)
        shown = [] if anew else mine[-SHOWN:]
        self._jobs[job.session] = [*(one for one in mine if one.alive or one in shown), job]

    def check(self, session: str, task: str, late: bool = False, under_way: int = 0) -> None:
        """See whether a session may ask for a job now, with so many files of it ``under_way``, each of which becomes a job.

        Raises:
            InputError: it has one that has not ended, or too many uploads, or the queue is full.
        """
        with self._changed:
            alive = [job for job in self.of(session) if job.alive]
            if len(alive) + under_way >= (UPLOADS if task == 'prepare' else 1):
                first = f'"{alive[0].title}" has not ended yet; wait for it, or cancel it' if alive else 'files are on their way'
                raise InputError(f'one thing at a time: {first}')
            others = sum(not waiting.late for waiting in self._waiting)
            if others >= self.limits.waiting and not late:
                raise InputError(f'{others} jobs of others are waiting, which is as many as this server takes; try again '
                                 'in some minutes')
            if self._closed:
                raise InputError('the server is being stopped')

    def of(self, session: str) -> list[Job]:
        """The jobs of a session since it last had none that had not ended, in the order in which they came."""
        return self._jobs.get(session, [])

    def latest(self, session: str) -> Job | None:
        """The last job that a session asked for, ended or not."""
        return next(reversed(self.of(session)), None)

    def place(self, job: Job) -> int:
        """How many jobs are before a waiting one."""
        with self._changed:
            return self._waiting.index(job) if job in self._waiting else 0

    def busy(self) -> set[str]:
        """Sessions that have a job which has not ended."""
        return {session for session, jobs in list(self._jobs.items()) if any(job.alive for job in jobs)}

    def forget(self, session: str) -> None:
        """Drop what is known of a session's jobs."""
        self._jobs.pop(session, None)

    def cancel(self, session: str) -> Job | None:
        """Stop the job of a session that runs, else the first that waits; what it has done so far is kept as after Ctrl-C. Others wait.

        Returns:
            The job, or None where there is nothing to stop.
        """
        with self._changed:
            alive = [job for job in self.of(session) if job.alive]
            if not alive:
                return None
            job = next((job for job in alive if job.state == RUNNING), alive[0])  # one that is stopping already takes its time
            job.stopping = True
            if job in self._waiting:
                self._waiting.remove(job)
                self._end(job, STOPPED)
            self._changed.notify_all()
        return job

    def close(self) -> None:
        """Stop everything, wait until it has stopped."""
        with self._changed:
            self._closed = True
            for job in self._waiting:
                self._end(job, STOPPED)
            self._waiting.clear()
            for job in itertools.chain(*self._jobs.values()):
                job.stopping = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(GRACE + 10)

    def wait(self, job: Job, timeout: float = 600) -> Job:
        """Wait until a job has ended."""
        with self._changed:
            self._changed.wait_for(lambda: not job.alive, timeout)
        return job

    def _next(self) -> Job | None:
        """The first that waits, of a session that has none running."""
        return next((job for job in self._waiting if all(one.state != RUNNING for one in self.of(job.session))), None)

    def _serve(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._next() or self._closed)
                if self._closed:
                    return
                job = self._next()
                self._waiting.remove(job)
                job.state, job.started = RUNNING, time.monotonic()
                self._changed.notify_all()
            try:
                state = self._run(job)
            except Exception as error:
                print(f'job {job.number} ({job.task}): {error!r}', file=sys.stderr, flush=True)
                state, job.error = FAILED, 'the job could not be started; the log of the server says why'
            with self._changed:
                self._end(job, state)

    def _end(self, job: Job, state: str) -> None:
        if job.then:
            try:
                job.then(job, state)
            except Exception as error:  # of whatever kind: the next jobs are waiting
                print(f'job {job.number} ({job.task}), when it had ended: {error!r}', file=sys.stderr, flush=True)
        job.state, job.ended, job.process = state, time.monotonic(), None
        self._changed.notify_all()

    def _run(self, job: Job) -> str:
        """Start the process of a job and listen to it until it ends; returns how it ended."""
        from toolkit.web.work import run
        self._turn_log()
        ours, theirs = self._context.Pipe(duplex=False)
        job.process = self._context.Process(target=run, args=(theirs, str(self.log), job.task, job.arguments))
        job.process.start()
        theirs.close()
        told, ended, deadline = None, None, job.started + 60 * self.limits.minutes
        with ours:
            while ended is None:
                if job.stopping and told is None:
                    told = time.monotonic()
                    self._signal(job, signal.SIGINT)
                if not job.stopping and time.monotonic() > deadline:
                    job.error, job.stopping = f'it took more than {self.limits.minutes:g} minutes and was stopped', True
                if told is not None and time.monotonic() > told + GRACE:
                    self._signal(job, signal.SIGKILL)
                if ours.poll(.2):
                    try:
                        ended = self._heard(job, ours.recv())
                    except (EOFError, OSError):
                        break
        job.process.join(GRACE)
        if job.process.is_alive():
            self._signal(job, signal.SIGKILL)
            job.process.join()
        if ended == DONE:
            job.error = ''  # it was ready when it was told to stop
        if ended is None and not job.stopping:
            job.error = _ended(job.process.exitcode)
        return (FAILED if job.error else STOPPED) if job.stopping and ended != DONE else ended or FAILED

    def _turn_log(self) -> None:
        """Begin the log anew when it is long, and keep the last one. Jobs that run go on writing into that."""
        with self._changed, suppress(OSError):
            if self.log.stat().st_size > LONGEST_LOG:
                self.log.replace(self.log.with_name(f'{self.log.name}.1'))

    @staticmethod
    def _signal(job: Job, number: int) -> None:
        with suppress(ProcessLookupError):
            os.kill(job.process.pid, number)

    @staticmethod
    def _heard(job: Job, message: tuple) -> str | None:
        """Note what a process says; returns how it ended, if it did."""
        kind, *values = message
        if kind == 'step':
            job.stage, job.done, job.total = values
        elif kind == 'failed':
            job.error = job.words(values[0])
        elif kind in ('say', 'stopped') and values[0]:
            job.lines = [*job.lines, job.words(values[0])][-KEPT:]
        elif kind == 'done':
            job.value = values[0]
        return dict(done=DONE, failed=FAILED, stopped=STOPPED).get(kind)
