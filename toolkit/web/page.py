"""The page itself: Gradio's controls on top of :class:`toolkit.web.desk.Desk`."""

from collections.abc import Callable
from html import escape
from typing import Any

import gradio as gr

from toolkit.structures import InputError
from toolkit.web import html
from toolkit.web.desk import BETWEEN, LIKE, OWN, PICKED, PRETRAINED_NAME, WAYS, Desk
from toolkit.web.jobs import STOPPED, Job
from toolkit.web.sessions import RUN, Session

REGIONS = {'both garments': 'both', 'the upper one': 'up', 'the lower one': 'down'}
SIZES = ['small and quick', 'as large as the clip']
ROOMS = {'clip': 'clips', 'video': 'results', 'fine-tuned generator': 'models', 'picture of clothes': 'uploads'}
UPLOAD = """<div class="hvt-upload" data-role="{role}" data-most="{most}" data-seconds="{seconds:g}">
<label>{what}<br><input type="file" accept="video/*,image/*" id="hvt-file-{role}"></label>
{film}<progress hidden aria-label="{what}"></progress><p class="hvt-upload-said" role="alert"></p>
<video hidden muted playsinline></video></div>"""
FILM = """<button type="button" class="hvt-film">film</button>
<label>from second <input class="hvt-start" type="number" min="0" step="0.5" value="0" style="width:5em"></label>"""

LIVE = """<div id="hvt-live"><div class="hvt-live-stage"><video muted playsinline hidden></video>
<div class="hvt-live-picture" hidden><canvas></canvas><span class="hvt-tag left"></span></div></div>
<p class="hvt-live-said hvt-note" role="status">{said}</p></div>"""
WISHES = """(person, model, way, upOn, up, downOn, down) =>
window.hvtLive({person, model, way, up: upOn ? up : null, down: downOn ? down : null})"""


class Page:
    """Builds the controls and answers them.

    Args:
        desk: takes the wishes.
    """

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.blocks = self._build()

    # ---- answers -----------------------------------------------------------------------------------------------------------------

    def _with_session(self, answer: Callable) -> Callable:
        """A handler that is given the visitor's session first, of the page that asks; what cannot be done is said in a message."""
        def handler(request: gr.Request, *values: Any) -> Any:
            session, _ = self.desk.sessions.open(dict(request.cookies).get(self.desk.sessions.cookie))
            session.tab = hash(request.session_hash)  # a stranger may send a long one
            try:
                return answer(session, *values)
            except InputError as error:
                raise gr.Error(escape(self.desk.words(session, error)), duration=None, print_exception=False) from None

        handler.__name__ = answer.__name__
        return handler

    def opened(self, session: Session, *chosen: str | None) -> list:
        """:meth:`refresh`, when the page is opened: what another tab has shown is not new to it."""
        for job in self.desk.jobs.of(session.id):
            if job.told:
                job.told.add(session.tab)
        return self.refresh(session, *chosen)

    def refresh(self, session: Session, person: str | None, movement: str | None, like: str | None, model: str | None,
                left: str | None, right: str | None, tuned: str | None) -> list:
        """All lists, and the pictures of what is chosen. A clip, a picture, a video or a generator that has just come is chosen, once
        in each tab of the browser."""
        clips, results, models = session.clips(), session.results(), session.models()
        names = list(clips)
        for job in [job for job in self.desk.jobs.of(session.id) if self._take_new(job, session.tab)]:
            if job.role == 'person':
                person = job.value
            elif job.role == 'movement':
                movement = job.value
            elif job.role == 'clothes':
                like = job.value
            elif job.task == 'generate':
                left, right = f'movement of {job.value}', job.value
            elif job.task == 'finetune':
                tuned = model = job.value
        person = person if person in clips else next(iter(names), None)
        others = [name for name, clip in clips.items() if clip.person != clips[person].person] if person else []
        others.sort(key=lambda name: clips[name].action == clips[person].action)  # something else to do
        movement = movement if movement in clips else next(iter(others), None)
        videos = list(results)
        sides = [f'movement of {name}' for name in videos] + videos
        right = right if right in sides else next(iter(videos), None)
        if left not in sides:  # the other video of the same result
            plain = right and right.removeprefix('movement of ')
            left = plain if plain != right else right and f'movement of {right}'
        clothes = session.clothes()
        usable = [name for name, about in models.items() if about['best']]
        tuned = tuned if tuned in models else next(iter(models), None)
        return [
            gr.Dropdown(choices=names, value=person), gr.Dropdown(choices=names, value=movement),
            gr.Dropdown(choices=clothes, value=like if like in clothes else next(iter(clothes), None)),
            gr.Dropdown(choices=[PRETRAINED_NAME, *usable], value=model if model in usable else PRETRAINED_NAME),
            gr.Dropdown(choices=sides, value=left), gr.Dropdown(choices=sides, value=right),
            gr.Dropdown(choices=list(models), value=tuned),
            self.show_clip(session, person), self.show_clip(session, movement), self.show_compare(session, left, right),
            self.show_gallery(session), self.show_model(session, tuned)]

    @staticmethod
    def _take_new(job: Job, tab: int | None) -> bool:
        """Whether a job made something that this tab was not told of; it is told once."""
        if job.alive or tab in job.told:
            return False
        job.told.add(tab)
        return bool(job.value)

    def show_clip(self, session: Session, name: str | None) -> str:
        """What was found in a clip."""
        clip = session.clips().get(name)
        if clip is None:
            return html.note('Upload a video, film one, or wait for the examples.')
        own = not clip.folder.is_relative_to(session.examples)
        return html.found('clips' if own else 'examples', clip.folder.parent.name, clip)

    def show_compare(self, session: Session, left: str | None, right: str | None) -> str:
        """Two videos with a slider between them."""
        if not left or not right:
            return html.note('What you make is shown here, beside the movement that drives it.')
        return html.compare(self._side(session, left), self._side(session, right), left.startswith('movement of ')) + ''.join(
            html.download(session.result(name)) for name in dict.fromkeys((right, left)) if not name.startswith('movement of '))

    @staticmethod
    def _side(session: Session, name: str) -> tuple[str, str]:
        plain = name.removeprefix('movement of ')
        about = session.result(plain)
        file = 'result.mp4' if plain == name else 'driving.mp4'
        label = name if plain == name else f'{about.get("movement", "movement")}'
        return html.address('results', plain, file), label

    def show_gallery(self, session: Session) -> str:
        """Everything that was made."""
        return html.gallery(session.results())

    def show_model(self, session: Session, name: str | None) -> str:
        """Before and after."""
        models = session.models()
        return html.before_after(models[name]) + html.curves(models[name]['folder'] / RUN) if name in models else html.note(
            'Fine-tuning takes the person who is chosen under "Make a video".')

    def generate(self, session: Session, person: str, movement: str, model: str, seconds: float, size: str, way: str, up_on: bool,
                 up: str, down_on: bool, down: str, like: str, regions: str, up_2: str, down_2: str) -> None:
        """Ask for a video."""
        looks = [color if on else None for color, on in ((up, up_on), (down, down_on), (up_2, up_on), (down_2, down_on))]
        wish, words = self.desk.colors(session, way, *looks[:2], like, REGIONS.get(regions, regions), *looks[2:])
        self.desk.generate(session, person, movement, model, seconds, size == SIZES[0], wish, words)

    def finetune(self, session: Session, person: str, iterations: float) -> None:
        """Ask for a fine-tuned generator."""
        self.desk.finetune(session, person, int(iterations))

    def go_on(self, session: Session, model: str) -> None:
        """Ask to go on."""
        self.desk.go_on(session, model)

    def cancel(self, session: Session) -> None:
        """Stop what is being made."""
        job = self.desk.jobs.cancel(session.id)
        gr.Info('there is nothing to cancel' if job is None else 'it stops as soon as it can' if job.state != STOPPED else 'cancelled')

    def delete(self, session: Session, what: str, name: str) -> None:
        """Remove something."""
        if session.id in self.desk.jobs.busy():
            raise InputError('wait until the job has ended, or cancel it; then remove')
        if not name:
            raise InputError('choose what to remove first')
        session.delete(ROOMS[what], name)

    def removable(self, session: Session, what: str, chosen: str | None = None) -> Any:
        """Names of one kind; what is chosen stays so. Where that has gone nothing is chosen: a second press on Remove would remove what
        has come in its place."""
        names = dict(clips=[n for n in session.clips() if not n.startswith('example: ')], results=list(session.results()),
                     models=list(session.models()), uploads=session.clothes())
        choices = names[ROOMS[what]]
        other = '' if chosen is not None and choices else next(iter(choices), None)
        return gr.Dropdown(choices=choices, value=chosen if chosen in choices else other)

    # ---- controls ----------------------------------------------------------------------------------------------------------------

    def _build(self) -> gr.Blocks:
        limits = self.desk.limits
        with gr.Blocks(title='Human Video Toolkit', analytics_enabled=False) as blocks:
            gr.Markdown('# Human Video Toolkit\nMake the person of one video move as someone else moves. Choose both, press '
                        '*Generate*. The examples are people who do not exist. Files stay on this server, are seen by this browser '
                        f'alone, and are removed {limits.hours:g} hours after your last visit.')
            gr.HTML('<div id="hvt-job" class="hvt-panel">' + html.note('loading ...') + '</div>')
            with gr.Row():
                cancel = gr.Button('Cancel', variant='stop', elem_id='hvt-cancel', size='sm', scale=0, min_width=120)
                refresh = gr.Button('refresh', visible='hidden', elem_id='hvt-refresh')
            with gr.Tab('Make a video'):
                with gr.Row():
                    with gr.Column():
                        person = gr.Dropdown([], allow_custom_value=True, label='1. Person: who is shown', elem_id='hvt-person')
                        gr.HTML(self._upload('person', 'your video or picture'))
                        person_found = gr.HTML(elem_id='hvt-person-found')
                    with gr.Column():
                        movement = gr.Dropdown([], allow_custom_value=True, label='2. Movement: who moves', elem_id='hvt-movement')
                        gr.HTML(self._upload('movement', 'your video'))
                        movement_found = gr.HTML(elem_id='hvt-movement-found')
                way = gr.Radio(list(WAYS), value=OWN, label='3. Clothes', elem_id='hvt-way')
                with gr.Row(visible=False) as first_look:
                    up_on = gr.Checkbox(True, label='upper garment', elem_id='hvt-up-on')
                    up = gr.ColorPicker('#c03030', label='upper color', elem_id='hvt-up')
                    down_on = gr.Checkbox(False, label='lower garment', elem_id='hvt-down-on')
                    down = gr.ColorPicker('#2040a0', label='lower color', elem_id='hvt-down')
                with gr.Row(visible=False) as second_look:
                    up_2 = gr.ColorPicker('#30a040', label='upper color at the end', elem_id='hvt-up-2')
                    down_2 = gr.ColorPicker('#c0a020', label='lower color at the end', elem_id='hvt-down-2')
                with gr.Row(visible=False) as picture:
                    gr.HTML(self._upload('clothes', 'a picture of somebody in the clothes'))
                    like = gr.Dropdown([], allow_custom_value=True, label='colors of', elem_id='hvt-like')
                    regions = gr.Radio(list(REGIONS), value='both garments', label='take')
                with gr.Row():
                    model = gr.Dropdown([PRETRAINED_NAME], allow_custom_value=True, value=PRETRAINED_NAME, label='4. Generator',
                                        elem_id='hvt-model')
                    size = gr.Radio(SIZES, value=SIZES[0], label='size', elem_id='hvt-size')
                    seconds = gr.Slider(.2, limits.seconds, value=min(4, limits.seconds), step=.2, label='at most (seconds)',
                                        elem_id='hvt-seconds')
                make = gr.Button('Generate', variant='primary', elem_id='hvt-generate')
                with gr.Row():
                    left = gr.Dropdown([], allow_custom_value=True, label='left of the slider', elem_id='hvt-left')
                    right = gr.Dropdown([], allow_custom_value=True, label='right of the slider', elem_id='hvt-right')
                result = gr.HTML(elem_id='hvt-result')
            with gr.Tab('Fine-tune'):
                gr.Markdown('A few minutes of training on one person make the generator better for that person. The last quarter of '
                            'the clip is held out, and the checkpoint that paints it best is kept. Cancel whenever you like, and go on '
                            'later. The person is the one who is chosen under *Make a video*; prefer a clip of some seconds.')
                with gr.Row():
                    iterations = gr.Slider(4, 400, value=80, step=4, label='at most so many iterations', elem_id='hvt-iterations')
                    tune = gr.Button('Fine-tune', variant='primary', elem_id='hvt-tune')
                with gr.Row():
                    tuned = gr.Dropdown([], allow_custom_value=True, label='fine-tuned generators', elem_id='hvt-tuned')
                    onward = gr.Button('Go on', elem_id='hvt-go-on')
                shown = gr.HTML(elem_id='hvt-model-shown')
            with gr.Tab('Live'):
                gr.Markdown('You move in front of your camera, and the person of *Make a video* moves with you, in the clothes and by '
                            'the generator that are chosen there. Show your whole body for some seconds, so that it is known how tall '
                            f'you are. One visitor at a time, for at most {limits.live_minutes:g} minutes. Pictures of your camera are '
                            'not kept.')
                with gr.Row():
                    begin = gr.Button('Start', variant='primary', elem_id='hvt-live-start')
                    again = gr.Button('Measure me anew', elem_id='hvt-live-again')
                    end = gr.Button('Stop', variant='stop', elem_id='hvt-live-stop')
                gr.HTML(LIVE.format(said='Press Start, and allow the camera.'))
            with gr.Tab('Gallery'):
                made = gr.HTML(elem_id='hvt-gallery')
                with gr.Accordion('Remove', open=False), gr.Row():
                    what = gr.Radio(list(ROOMS), value='video', label='what')
                    which = gr.Dropdown([], allow_custom_value=True, label='which', elem_id='hvt-which')
                    remove = gr.Button('Remove', variant='stop', elem_id='hvt-remove')

            lists = [person, movement, like, model, left, right, tuned]
            all_shown = [*lists, person_found, movement_found, result, made, shown]
            look = dict(fn=None, js='() => window.hvtLook()')
            quiet = dict(show_progress='hidden')

            def on(event: Callable, answer: Callable, inputs: list, outputs: list | None = None, **options: Any) -> Any:
                return event(self._with_session(answer), inputs, outputs, api_name=options.pop('api_name', answer.__name__),
                             **quiet, **options)

            on(blocks.load, self.opened, lists, all_shown)
            # a change that comes while lists are being filled must not be lost
            on(refresh.click, self.refresh, lists, all_shown, trigger_mode='always_last')
            on(person.input, self.show_clip, [person], [person_found])
            on(movement.input, self.show_clip, [movement], [movement_found], api_name=False)
            for side in (left, right):
                on(side.input, self.show_compare, [left, right], [result], api_name='show_compare' if side is left else False)
            on(tuned.input, self.show_model, [tuned], [shown])
            way.change(lambda chosen: [gr.Row(visible=chosen in ways) for ways in ((PICKED, BETWEEN), (BETWEEN,), (LIKE,))], [way],
                       [first_look, second_look, picture], api_name=False, **quiet)
            on(make.click, self.generate, [person, movement, model, seconds, size, way, up_on, up, down_on, down, like, regions, up_2,
                                           down_2]).success(**look)
            on(tune.click, self.finetune, [person, iterations]).success(**look)
            on(onward.click, self.go_on, [tuned]).success(**look)
            begin.click(None, [person, model, way, up_on, up, down_on, down], None, js=WISHES)
            again.click(None, [], None, js='() => window.hvtLiveAgain()')
            end.click(None, [], None, js='() => window.hvtLiveStop()')
            on(cancel.click, self.cancel, []).success(**look)
            on(what.change, self.removable, [what], [which], api_name=False)
            on(blocks.load, self.removable, [what, which], [which], api_name=False)
            on(refresh.click, self.removable, [what, which], [which], trigger_mode='always_last')
            on(remove.click, self.delete, [what, which]).success(self._with_session(self.removable), [what, which], [which],
                                                                 api_name=False, **quiet).success(**look)
        return blocks

    def _upload(self, role: str, what: str) -> str:
        limits = self.desk.limits
        film = '' if role == 'clothes' else FILM
        return UPLOAD.format(role=role, what=what, most=limits.upload_mb, seconds=limits.seconds, film=film)
