"""Jobs without processes, for tests of what is around them."""

import threading
from pathlib import Path

from toolkit.web.jobs import DONE, RUNNING, STOPPED, Jobs


class Instant(Jobs):
    """Jobs that end as they are told to: ``arguments`` are kept, nothing is run until ``go`` is set."""

    def __init__(self, limits, log):
        self.go, self.end, self.ran = threading.Event(), DONE, []
        super().__init__(limits, log)

    def submit(self, job):
        """Comes back after a thread that has nothing to do has taken the job, so that a test can say who waits and who runs."""
        super().submit(job)
        if threading.current_thread() in self._threads:  # it submits what comes next, and takes it itself
            return job
        with self._changed:
            assert self._changed.wait_for(self._settled, 60), 'no thread took the job'
        return job

    def _settled(self):
        return not self._next() or sum(job.state == RUNNING for jobs in self._jobs.values() for job in jobs) >= self.limits.jobs

    def _run(self, job):
        while not self.go.wait(.01):
            if job.stopping:
                return STOPPED
        self.ran.append(job)
        job.error = '' if self.end == DONE else job.words(f'{self.log.parent}/sessions/x: it failed; try again, or say --pose')
        folder = job.arguments.get('out') or Path(job.arguments.get('work_dir', '.')).parent
        job.value = Path(folder).name
        return self.end
