"""Jobs without processes, for tests of what is around them."""

import threading
from pathlib import Path

from toolkit.web.jobs import DONE, STOPPED, Jobs


class Instant(Jobs):
    """Jobs that end as they are told to: ``arguments`` are kept, nothing is run until ``go`` is set."""

    def __init__(self, limits, log):
        self.go, self.end, self.ran = threading.Event(), DONE, []
        super().__init__(limits, log)

    def _run(self, job):
        while not self.go.wait(.01):
            if job.stopping:
                return STOPPED
        self.ran.append(job)
        job.error = '' if self.end == DONE else job.words(f'{self.log.parent}/sessions/x: it failed; try again, or say --pose')
        job.value = Path(job.arguments.get('out', job.arguments.get('work_dir', '.'))).name
        return self.end
