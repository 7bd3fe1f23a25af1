"""What a visitor may ask for, without any page: checks first, then a job. The page and its tests call this."""

import re
import secrets
import shutil
import threading
from contextlib import suppress
from functools import partial
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path

from toolkit.files import make_folder
from toolkit.outputs import plain_name
from toolkit.structures import InputError
from toolkit.web.advice import for_page
from toolkit.web.html import curves, job_panel
from toolkit.web.jobs import DONE, FAILED, Job, Jobs
from toolkit.web.sessions import ROOMS, RUN, Session, Sessions
from toolkit.weights import latest_checkpoint

OWN, PICKED, LIKE, BETWEEN = 'as they are', 'colors of my choice', 'as in a picture', 'slide between two looks'
WAYS = (OWN, PICKED, LIKE, BETWEEN)
PRETRAINED_NAME = 'the generator that comes along'
EXAMPLES = ((0, 'jumping_jack'), (3, 'kick')), ((8, 'jumping_jack'),), ((0, 'kick'),), ((3, 'jumping_jack'),), ((8, 'kick'),)
"""People who do not exist, and what they do: first the two that are shown first, then one after the other when nobody waits."""
HOUSE = 'house'
LATER = tuple(f'{HOUSE} {number}' for number in range(1, len(EXAMPLES)))
"""The sessions of what the page does for itself."""
IN = r'uploads/\.in_\w+/'
"""Where a video lies while it is prepared."""
FOLDERS = r'(?<![\w.:/])/(?:[^\s/:,;]+/)+'
"""Folders of the server in a message: of a path the last name is said."""
MOST_CLOTHES = 50
"""Pictures of clothes that a visitor may have at a time."""
UPLOADED = ('person', 'movement', 'clothes')


def hex_color(picked: str | None) -> str | None:
    """What a color picker gives, as '#rrggbb'.

    Args:
        picked: '#rgb', '#rrggbb', '#rrggbbaa' or 'rgba(12.3, 4, 5, 1)'.

    Raises:
        InputError: something else.
    """
    if not picked:
        return None
    text = picked.strip()
    if numbers := re.fullmatch(r'rgba?\((\d{1,9}(?:\.\d*)?),\s*(\d{1,9}(?:\.\d*)?),\s*(\d{1,9}(?:\.\d*)?)(?:,\s*[\d.]+)?\)', text):
        return '#' + ''.join(f'{min(round(float(n)), 255):02x}' for n in numbers.groups())
    if re.fullmatch('#[0-9a-fA-F]{3}', text):
        return '#' + ''.join(2 * c for c in text[1:])
    if re.fullmatch('#[0-9a-fA-F]{6}([0-9a-fA-F]{2})?', text):
        return text[:7].lower()
    raise InputError(f'{picked!r} is not a color')


class Desk:
    """Takes the wishes of visitors.

    Args:
        sessions: who they are.
        jobs: what is done for them.
        size: (H, W) of all clips.
    """

    def __init__(self, sessions: Sessions, jobs: Jobs, size: tuple[int, int] = (384, 256)) -> None:
        self.sessions, self.jobs, self.limits, self.size = sessions, jobs, sessions.limits, size
        self._live, self._one_live = None, threading.Lock()

    # ---- what there is -----------------------------------------------------------------------------------------------------------

    def render_examples(self) -> Job:
        """Make the built-in people, where they are not there: see :data:`EXAMPLES`."""
        first, *_ = [self.jobs.submit(Job(
            session, 'render_examples', dict(out=str(self.sessions.examples), size=self.size, people=people), 'the examples',
            words=self._plain, late=session != HOUSE)) for session, people in zip((HOUSE, *LATER), EXAMPLES)]
        return first

    def status(self, session: Session) -> dict:
        """What the browser asks for all the time: ``html`` of the jobs, ``busy``, and a ``version`` that changes when lists change."""
        jobs = self.jobs.of(session.id)
        house = self.jobs.latest(HOUSE)
        shown = jobs or ([house] if house and (house.alive or house.error) else [])
        stamps = [*(one.state for one in map(self.jobs.latest, (HOUSE, *LATER)) if one), *(f'{job.number} {job.state}' for job in jobs)]
        for room in (self.sessions.examples, *(session.folder / room for room in ROOMS)):
            with suppress(OSError):
                stamps.append(room.stat().st_mtime_ns)
        html = ''.join(job_panel(job, self.jobs.place(job), _curve(job)) for job in shown or [None])
        return dict(html=html, busy=any(job.alive for job in shown), version='.'.join(map(str, stamps)))

    # ---- uploads -----------------------------------------------------------------------------------------------------------------

    def check_upload(self, session: Session, role: str, size: int) -> None:
        """See whether a file may come.

        Raises:
            InputError: an unknown role, too large, too many, or see :meth:`toolkit.web.jobs.Jobs.check`.
        """
        if role not in UPLOADED:
            raise InputError(f'an upload is one of {", ".join(UPLOADED)}, not {role!r}')
        if role != 'clothes':
            self.jobs.check(session.id, 'prepare', under_way=sum(
                not part.name.endswith('.clothes.part') for part in (session.folder / 'uploads').glob('.*.part')))
        elif sum(not file.name.startswith('.') for file in (session.folder / 'uploads').iterdir()) >= MOST_CLOTHES:
            raise InputError(f'{MOST_CLOTHES} pictures of clothes are as many as there may be; remove some in the gallery')
        self.sessions.check_room(session, size)

    def take_upload(self, session: Session, role: str, part: Path, name: str, start: float = 0) -> str:
        """A file has come: keep it, and prepare it.

        Args:
            session: whose.
            role: 'person', 'movement' or 'clothes'.
            part: the file, in the folder of the session; it is moved.
            name: of the file, as the browser said.
            start: second to begin at.

        Returns:
            The name that it has now.

        Raises:
            InputError: a start before the beginning, or see :meth:`toolkit.web.jobs.Jobs.check`.
        """
        if not 0 <= start < 1e6:
            raise InputError(f'the first second must be 0 or later, got {start}')
        given = Path(Path(name.replace('\\', '/')).name)
        stem, suffix = plain_name(given.stem, 'upload')[:60], plain_name(given.suffix, '')[:12]
        suffix = suffix and f'.{suffix}'
        if role == 'clothes':
            place, number = session.folder / 'uploads', 1
            while (place / (name := f'{stem}{"" if number == 1 else f"_{number}"}{suffix}')).exists():
                number += 1
            part.rename(place / name)
            self.jobs.note(Job(session.id, role, {}, f'uploading {name}', state=DONE, value=name, role=role))
            return name
        out = session.new_folder('clips', stem)
        try:
            place = make_folder(session.folder / 'uploads' / f'.in_{secrets.token_hex(4)}')
            video = part.rename(place / f'{out.name}{suffix}')
        except (InputError, OSError):
            shutil.rmtree(out, ignore_errors=True)
            raise

        def then(job: Job, state: str) -> None:
            shutil.rmtree(place, ignore_errors=True)
            if state != DONE:
                shutil.rmtree(out, ignore_errors=True)

        arguments = dict(video=str(video), out=str(out), size=self.size, seconds=self.limits.seconds, start=start)
        self._submit(session, Job(session.id, 'prepare', arguments, f'preparing {out.name}', then, role=role))
        return out.name

    # ---- generate and fine-tune --------------------------------------------------------------------------------------------------

    def colors(self, session: Session, way: str, up: str | None = None, down: str | None = None, like: str | None = None,
               regions: str = 'both', up_2: str | None = None, down_2: str | None = None) -> tuple[dict, str]:
        """The wish what to wear.

        Args:
            session: whose.
            way: one of :data:`WAYS`.
            up, down: colors that were picked; None leaves a garment as it is.
            like: name of an uploaded picture.
            regions: garments that ``like`` changes: 'up', 'down' or 'both'.
            up_2, down_2: colors of the second look.

        Returns:
            Arguments of :class:`toolkit.inference.outfits.Colors`, and the wish in words.

        Raises:
            InputError: nothing is picked, or no picture is there.
        """
        up, down, up_2, down_2 = map(hex_color, (up, down, up_2, down_2))
        if way == OWN:
            return {}, ''
        if way in (PICKED, BETWEEN) and not any((up, down) if way == PICKED else (up, down, up_2, down_2)):
            raise InputError('switch on the upper or the lower garment to give it a color')
        if way == PICKED:
            wish = dict(up=up, down=down)
            words = ', '.join(f'{garment} {color}' for garment, color in (('upper', up), ('lower', down)) if color)
        elif way == LIKE:
            if like not in session.clothes():
                raise InputError('upload a picture of the clothes first')
            wish, words = dict(like=str(session.folder / 'uploads' / like), regions=regions), f'as in {like}'
        elif way == BETWEEN:
            looks = [f'{up or ""},{down or ""}', f'{up_2 or ""},{down_2 or ""}']
            if looks[0] == looks[1]:
                raise InputError('the two looks are the same; choose another color for one of them')
            wish, words = dict(interpolate=tuple(looks)), f'from {looks[0]} to {looks[1]}'
        else:
            raise InputError(f'clothes: expected one of {", ".join(WAYS)}, got {way!r}')
        return wish, words

    def generate(self, session: Session, person: str | None, movement: str | None, model: str | None, seconds: float, small: bool,
                 colors: dict, words: str) -> Job:
        """Make a video.

        Args:
            session: whose.
            person, movement: names of clips.
            model: name of a fine-tuned generator, or None or :data:`PRETRAINED_NAME` for the one that comes along.
            seconds: at most so many.
            small: half the size.
            colors, words: of :meth:`colors`.

        Raises:
            InputError: see :class:`Session`; no room, or a job that has not ended.
        """
        content, driving = session.clip(person), session.clip(movement)
        checkpoint = self._checkpoint(session, model)
        if not 0 < seconds <= self.limits.seconds:
            raise InputError(f'the length must be above 0 and at most {self.limits.seconds:g} seconds, got {seconds:g}')
        self.sessions.check_room(session)
        about = dict(person=person, movement=movement, clothes=words, model='' if checkpoint is None else model)
        out = session.new_folder('results', f'{_short(person)}_{_short(movement)}')
        arguments = dict(out=str(out), content=str(content.folder), driving=str(driving.folder),
                         checkpoint=checkpoint and str(checkpoint), seconds=float(seconds), small=bool(small), colors=colors,
                         longest=self.limits.seconds, about=about, prepared=str(session.prepared))

        def then(job: Job, state: str) -> None:
            if state != DONE:
                shutil.rmtree(out, ignore_errors=True)

        return self._submit(session, Job(session.id, 'generate', arguments, f'generating {out.name}', then))

    def finetune(self, session: Session, person: str | None, iterations: int) -> Job:
        """Fine-tune the generator on a clip.

        Raises:
            InputError: no such clip, one that is too short, a number of iterations that cannot be, no room, or a job that has not
                ended.
        """
        clip = session.clip(person)
        if not 2 <= iterations <= 2000:
            raise InputError(f'the number of iterations must be in 2..2000, got {iterations}')
        from toolkit.web.work import least_frames
        if len(clip) < (least := least_frames()):
            raise InputError(f'{person} has {len(clip)} frames, which is too short to learn from: at least {least} are needed, and '
                             'some seconds are better. Choose a longer video')
        self.sessions.check_room(session)
        data = clip.folder.parent
        about = dict(person=person, data=str(data), iterations=int(iterations))
        folder = session.new_folder('models', f'{_short(person)}_tuned', about)
        return self._train(session, folder, data, int(iterations), False)

    def go_on(self, session: Session, model: str | None) -> Job:
        """Go on with a fine-tuning that was stopped.

        Raises:
            InputError: no such model, its clip is gone, or a job that has not ended.
        """
        about = session.model(model)
        if not Path(about['data']).is_dir():
            raise InputError(f'the clip of {model} was removed; it cannot go on')
        self.sessions.check_room(session)
        return self._train(session, about['folder'], Path(about['data']), about['iterations'], True)

    def live(self, session: Session, person: str | None, model: str | None, way: str, up: str | None, down: str | None,
             ) -> tuple[Job, Connection]:
        """Begin a live session, where nobody else is live.

        Args:
            session: whose.
            person: name of a clip.
            model: as for :meth:`generate`.
            way: 'as they are' or 'colors of my choice'.
            up, down: colors that were picked; None leaves a garment as it is.

        Returns:
            The job, and the pipe to it, see :mod:`toolkit.web.live`; it ends when the job does.

        Raises:
            InputError: somebody else is live, a wish that live cannot fulfil, or a job that has not ended.
        """
        content, checkpoint = session.clip(person), self._checkpoint(session, model)
        if way not in (OWN, PICKED):
            raise InputError(f'live shows the clothes "{OWN}" or in "{PICKED}"; choose one of these under "3. Clothes"')
        wish = self.colors(session, way, up, down)[0]
        minutes = self.limits.live_minutes
        with self._one_live:
            if self._live and self._live.alive and self._live.session != session.id:
                raise InputError(f'somebody else is live at the moment, for {minutes:g} minutes at most; try again then')
            ours, theirs = Pipe()
            arguments = dict(pipe=theirs, person=str(content.folder), checkpoint=checkpoint and str(checkpoint), up=wish.get('up'),
                             down=wish.get('down'), seconds=60 * minutes, prepared=str(session.prepared))
            job = Job(session.id, 'live', arguments, f'live: {person}', lambda job, state: theirs.close())
            try:
                self._live = self._submit(session, job)
            except InputError:
                ours.close()
                raise
        return job, ours

    def _checkpoint(self, session: Session, model: str | None) -> Path | None:
        """The checkpoint of a fine-tuned generator; None for the one that comes along."""
        if model in (None, '', PRETRAINED_NAME):
            return None
        checkpoint = session.model(model)['best']
        if checkpoint is None:
            raise InputError(f'{model} has no checkpoint yet; let its fine-tuning go on')
        return checkpoint

    def _train(self, session: Session, folder: Path, data: Path, iterations: int, again: bool) -> Job:
        run = folder / RUN
        last = latest_checkpoint(run)
        if again and last and int(last.stem.rpartition('_')[2]) >= iterations:
            raise InputError(f'{folder.name} has done all of its {iterations} iterations; fine-tune anew, with more of them')

        def then(job: Job, state: str) -> None:
            if state == FAILED and not again and not any(run.glob('*.pth')):
                shutil.rmtree(folder, ignore_errors=True)

        arguments = dict(work_dir=str(run), data=str(data), iterations=iterations, resume=last is not None)
        return self._submit(session, Job(session.id, 'finetune', arguments, f'fine-tuning {folder.name}', then))

    def words(self, session: Session, message: object) -> str:
        """What a message says to a visitor: it names no folder of the server, and nothing that the page does not have."""
        return self._plain(str(message).replace(f'{session.folder}/', ''))

    def _plain(self, message: str) -> str:
        return re.sub(FOLDERS, '', for_page(re.sub(IN, '', message.replace(f'{self.sessions.root}/', ''))))

    def _submit(self, session: Session, job: Job) -> Job:
        """Queue a job."""
        job.words = partial(self.words, session)
        try:
            return self.jobs.submit(job)
        except InputError:
            if job.then:
                job.then(job, FAILED)
            raise

    def clean(self) -> list[str]:
        """Remove what is of visitors who do not come any more."""
        gone = self.sessions.clean(self.jobs.busy())
        for session in gone:
            self.jobs.forget(session)
        return gone


def _curve(job: Job | None) -> str:
    return curves(Path(job.arguments['work_dir'])) if job and job.task == 'finetune' and job.alive else ''


def _short(name: str) -> str:
    return plain_name(name.removeprefix('example: '))[:40]
