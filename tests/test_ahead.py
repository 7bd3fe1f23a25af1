"""Stages that run ahead in threads."""

import threading
import time

import pytest

from toolkit.ahead import ahead


def test_items_come_in_order_and_all():
    assert list(ahead(iter(range(200)), 2)) == list(range(200))


def test_no_more_than_asked_for_wait():
    taken = []

    def items():
        for i in range(50):
            taken.append(i)
            yield i

    stream = ahead(items(), 3)
    assert next(stream) == 0
    time.sleep(.3)
    assert len(taken) <= 5
    stream.close()


def test_an_error_comes_after_the_items_before_it():
    def items():
        yield 1
        raise ValueError('two')

    stream = ahead(items())
    assert next(stream) == 1
    with pytest.raises(ValueError, match='two'):
        next(stream)


def test_threads_end_when_nobody_asks_any_more():
    closed, before = [], threading.active_count()

    def items():
        try:
            while True:
                yield 0
        finally:
            closed.append(threading.current_thread())

    stream = ahead(ahead(items()))
    next(stream)
    stream.close()
    assert threading.active_count() == before
    assert len(closed) == 1 and closed[0] is not threading.main_thread()
