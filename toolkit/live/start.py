"""From wishes to a live run."""

import os
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from toolkit.files import check_output, write_json
from toolkit.live.movement import finder
from toolkit.live.person import build_parts_for, open_person
from toolkit.live.run import Live, View
from toolkit.live.sinks import open_sink, output_file
from toolkit.live.sources import is_address, open_source
from toolkit.outputs import refuse_existing, refuse_inputs
from toolkit.plugins import import_custom
from toolkit.registry import POSE_ESTIMATORS, build_part, load_plugins
from toolkit.structures import InputError

PATIENCE = 30.
"""Seconds without a frame of a camera or a stream after which it is given up."""


def live(person: str | Path, camera: int | None = None, input: str | Path | None = None, out: str | Path = 'window', *,
         content: str | Path | None = None, size: tuple[int, int] | None = None, pose: dict | None = None, retarget: bool | None = None,
         up: str | None = None, down: str | None = None, direction: str | None = None, side_by_side: bool = False, figures: bool = True,
         loop: bool = False, seconds: float | None = None, patience: float | None = None, benchmark: str | Path | None = None,
         overwrite: bool = False, work_dir: str | Path = 'work_dirs/live', device: str | None = None, half: bool | None = None,
         imports: Sequence[str] = (), allow_imports: Sequence[str] = (), say: Callable[[str], None] = print) -> dict:
    """Make a person move as somebody in front of a camera does, as ``tools/live.py`` does.

    Args:
        person: a prepared clip, video or picture of somebody, whom the generator of the toolkit then paints; or a checkpoint or the
            work dir of a run.
        camera: number of a camera of this computer; or
        input: a video that plays as a camera would, or the address of a stream.
        out: 'window', 'camera' (a virtual one), an address such as rtmp://host/app/key, or a video file.
        content, size, up, down, direction, work_dir, device, half, allow_imports: see
            :func:`toolkit.live.person.open_person`.
        pose: ``POSE_ESTIMATORS`` config; None takes the best that is installed.
        retarget: fit the movement to the body of the person. None does so where that is known; a model that knows its persons takes
            nothing else.
        side_by_side, figures: see :class:`toolkit.live.run.View`.
        loop: play a file again and again.
        seconds: stop after so many.
        patience: give up after so many seconds without a frame of a camera or a stream, by default 30. A file is played to its end.
        benchmark: JSON file for the figures that are returned.
        overwrite: replace files that are there.
        imports: modules that register parts of one's own.
        say: called with a line about what happens.

    Returns:
        See :meth:`toolkit.live.timing.Timing.report`.

    Raises:
        InputError: wishes that cannot be, a file that is also read, a camera that is lost for too long.
    """
    for name, value in (('seconds', seconds), ('patience', patience)):
        if value is not None and not value > 0:
            raise InputError(f'{name} must be above 0, got {value}')
    from_file = input is not None and not is_address(str(input))
    if patience is not None and from_file:
        raise InputError('--patience is for a camera or a stream, which may be lost; a file is played to its end: leave --patience out')
    load_plugins()
    import_custom(list(imports), '--import')
    files = [path for path in (output_file(out), benchmark) if path is not None]
    refuse_inputs(files, [path for path in (person, content, input) if path is not None and Path(path).exists()])
    if benchmark is not None:
        refuse_existing([check_output(Path(benchmark))], overwrite)
    if len({os.path.realpath(path) for path in files}) < len(files):
        raise InputError(f'{benchmark}: --out is the same file; give --benchmark another name')
    if pose is not None:
        finder(build_part(pose, POSE_ESTIMATORS))  # what is wrong with it is told before a model is loaded and a person prepared
    patience = PATIENCE if patience is None else patience
    source = open_source(camera, None if input is None else str(input), loop, patience, say)
    with closing(open_sink(out, overwrite)) as sink:
        whom = open_person(person, content, size, half, device, up, down, direction, work_dir, tuple(allow_imports))
        estimator, parts, chosen = build_parts_for(whom, pose)
        if size is None:
            say(f'painted at {whom.size[0]}x{whom.size[1]} (HxW); another size by --size')
        run = Live(source, estimator, whom, sink, parts, View(side_by_side, figures), retarget, seconds,
                   None if from_file else patience, say)
        try:
            run.run()
        finally:
            say(run.summary())
            report = run.timing.report(
                run.chain, **whom.about, pose=chosen['type'], out=str(out), input=str(input or f'camera {camera}'))
            if benchmark is not None:
                write_json(benchmark, report, overwrite)
    return report
