"""Queues drop what is stale, stages run one after the other, failures come out, and figures are those of the time stamps."""

import importlib.util
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from toolkit.live import timing as timing_file
from toolkit.live.stages import Chain, Latest, Shot
from toolkit.live.timing import Timing, memory_mb
from toolkit.structures import InputError

FRAME = np.zeros((16, 16, 3), np.uint8)


def test_a_queue_keeps_the_newest():
    queue = Latest(2)
    for number in range(5):
        queue.put(number)
    assert queue.dropped == 3 and [queue.get(), queue.get(), queue.get(timeout=.01)] == [3, 4, None]
    queue.put(7)
    queue.close()
    queue.put(8)
    assert not queue.ended and queue.get() == 7 and queue.get() is None and queue.ended


def numbered(count, pause=0.):
    """A source of shots whose frames hold their number."""
    def source(take):
        for number in range(count):
            time.sleep(pause)
            if not take(Shot(np.full_like(FRAME, number), time.perf_counter())):
                return
    return source


def drained(chain):
    shots = []
    while not chain.out.ended:
        shot = chain.out.get(timeout=.05)
        shots += [shot] if shot else []
    return shots


def test_a_slow_stage_drops_frames_and_keeps_their_order():
    chain = Chain(numbered(40, .002), dict(double=lambda s: s.frame[0, 0, 0] * 2, slow=lambda s: time.sleep(.02) or s.value + 1))
    chain.warm_up(Shot(FRAME, 0))
    chain.start()
    shots = drained(chain)
    chain.stop()
    values = [int(shot.value) for shot in shots]
    assert chain.captured == 40 and values == sorted(values) and values[-1] == 2 * 39 + 1, 'the newest frame is always painted'
    assert 1 < len(values) < 40 and chain.queues['slow'].dropped > 3
    assert list(shots[0].spans) == ['capture', 'double', 'slow'] and not any(t.is_alive() for t in chain._threads)


def test_a_stage_that_gives_nothing_drops_the_frame():
    def source(take):
        for number in range(6):
            while any(queue._items for queue in chain.queues.values()):  # nothing is stale, however busy the machine is
                time.sleep(.001)
            take(Shot(np.full_like(FRAME, number), time.perf_counter()))

    chain = Chain(source, dict(odd=lambda s: s.frame[0, 0, 0] if s.frame[0, 0, 0] % 2 else None))
    chain.warm_up(Shot(FRAME + 1, 0))
    chain.start()
    assert [int(shot.value) for shot in drained(chain)] == [1, 3, 5]


def test_a_failure_ends_everything():
    def fails(shot):
        if shot.time:
            raise InputError('frame 0 is bad')
        return 1

    chain = Chain(numbered(100000, .001), dict(first=fails, second=lambda s: 1))
    chain.warm_up(Shot(FRAME, 0))
    chain.start()
    assert drained(chain) == [] and 'frame 0 is bad' in str(chain.failure)
    chain.stop()
    assert not any(thread.is_alive() for thread in threading.enumerate() if thread.name in ('capture', 'first', 'second'))


def test_figures_are_those_of_the_time_stamps():
    timing, chain = Timing(), Chain(numbered(0), dict(pose=lambda s: 1))
    for number in range(11):
        start = 10 + number / 20
        shot = Shot(FRAME, start, spans=dict(capture=(start, start), pose=(start + .01, start + .04), show=(start + .05, start + .06)))
        timing.add(shot)
    report = timing.report(chain, person='me')
    assert report['fps'] == pytest.approx(20, abs=.01) and report['seconds'] == pytest.approx(.5)
    assert report['latency_ms'] == pytest.approx(dict(median=60, p95=60, mean=60, max=60), abs=.01)
    medians = {name: values['median'] for name, values in report['stages_ms'].items()}
    assert medians == pytest.approx({'capture': 0, 'wait for pose': 10, 'pose': 30, 'wait for show': 10, 'show': 10}, abs=.01)
    assert sum(medians.values()) == pytest.approx(60, abs=.05), 'stages and waits make up the whole latency'
    assert report['about'] == dict(person='me') and report['frames']['shown'] == 11
    assert timing.line() == '20 fps  60 ms  95%: 60 ms' and memory_mb() > 1


def test_a_system_that_does_not_say_how_much_memory_there_is(monkeypatch, tmp_path):
    """As Windows: Python has no module that tells it there, and no /proc."""
    monkeypatch.setitem(sys.modules, 'resource', None)
    spec = importlib.util.spec_from_file_location('timing_elsewhere', timing_file.__file__)
    elsewhere = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(elsewhere)
    monkeypatch.setattr(elsewhere, 'Path', lambda name: Path(f'{tmp_path}{name}'))
    timing = elsewhere.Timing()
    timing.add(Shot(FRAME, 1., spans=dict(capture=(1., 2.))))
    report = timing.report(Chain(numbered(0), dict(pose=lambda s: 1)))
    assert report['memory_mb'] == {} and report['frames']['shown'] == 1
