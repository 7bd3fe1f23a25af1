"""Stage I of paper A: learn color encoders with BicycleGAN on recolored frames.

Sources: *Disentangled Human Action Video Generation via Decoupled Learning* (Yang et al. 2019, section 3.1); *Toward multimodal
image-to-image translation* (Zhu et al. 2017).
"""

from typing import NamedTuple

import numpy as np
import torch
import torch._functorch.config as functorch_config
from mmengine.optim import OptimWrapperDict
from torch import Tensor, nn

from toolkit import fields
from toolkit.fit import build_discriminator, build_generator, check_attributes
from toolkit.model_parts.feature_maps import FeatureMaps
from toolkit.models.bare import bare
from toolkit.models.base import VideoModel
from toolkit.models.loss_table import ADDED
from toolkit.registry import MODELS, REGION_ENCODERS
from toolkit.structures import InputError

SCHEMES = ('paper', 'official')
Z_TARGETS = ('sample', 'mu')


class Frames(NamedTuple):
    """A and B of BicycleGAN with what the encoder and the losses need besides.

    Attributes:
        features: A, (N, C, H, W) in [-1, 1].
        images: B, (N, 3, H, W) in [-1, 1], recolored frames.
        regions: (N, 2, H, W) in [0, 1].
        masks: (N, 1, H, W) in [0, 1].
        recolored: (N, 1, H, W) in [0, 1], where the garment in question is.
    """

    features: Tensor
    images: Tensor
    regions: Tensor
    masks: Tensor
    recolored: Tensor

    def part(self, start: int, stop: int) -> 'Frames':
        """Samples from ``start`` to ``stop``."""
        return Frames(*(x[start:stop] for x in self))


@MODELS.register_module()
class BicycleGAN(VideoModel):
    """Learns to encode the color of one garment: G paints the recolored frame B from its feature map A and its code z = E(B).

    Two schemes:

    - ``'paper'``: one generator pass ``B' = G(A, z)``, z sampled around mu; the latent regression ``|mu(B') - z|`` is done on B';
    - ``'official'``: the first half of the batch is encoded and painted as above; besides, G paints the same A from a random code,
      ``B_r = G(A, z_r)``, which a second discriminator compares with the frames of the second half, and the regression is
      ``|mu(B_r) - z_r|``. Needs an even batch.

    Update order of both: the gradients of G and E from all losses but the regression; the gradient of the regression for G alone; a
    step of each; then the discriminators. Were the regression to teach E as well, E and G would hide the code from everybody else. Here
    one backward pass does it all, so that gradients are averaged over processes once: see :meth:`_regression_for_generator`.

    Any losses can be listed in ``losses``, see :class:`toolkit.models.loss_table.LossTable`. They are offered:

    - ``frames``: ``fake``, ``real`` (N, 3, H, W) and ``conditions``, A (N, C, H, W), in [-1, 1]; ``masks`` of the person (N, 1, H, W)
      and ``regions`` (N, 2, H, W) in [0, 1];
    - ``region``: the same, with ``masks`` where the garment in question was recolored, which makes the code worth its price;
    - ``gan``: ``scores`` of the discriminator (needed), and ``gan2``: of that of the random branch, 'official' only (needed there);
    - ``z``: the latent regression, codes as ``fake``, ``real`` (N, D); without it the scheme 'paper' is cVAE-GAN;
    - ``kl``: ``mu``, ``logvar`` (N, D) of the codes.

    Besides the losses, ``e/nats`` (KL of a sample, summed over dimensions) and ``e/sigma`` (mean standard deviation) are logged: nats
    that fall to 0 mean that the code collapsed. The running mean and square of mu are kept in the encoder.

    Args:
        encoder: ``REGION_ENCODERS`` config, which says whose garment it is.
        generator: ``GENERATORS`` config; ``input_nc`` and ``z_dims``, one code, are filled in.
        discriminator: ``DISCRIMINATORS`` config; ``input_nc`` is filled in.
        losses, scheme: see above.
        feature_maps: arguments of :class:`toolkit.model_parts.feature_maps.FeatureMaps`; default the frame's own edges.
        conditional: the discriminators see A beside the picture.
        same_discriminator: 'official' with one discriminator for both branches.
        z_target: 'paper' only: what the regression should find, the ``'sample'`` z or ``'mu'``; a constant either way.
        test_samples: pictures that :meth:`test_step` paints from random codes, for each frame.
        share_scores: ask a discriminator once about a painted picture, for G and for itself, and not twice; the gradients are equal to
            rounding.
        kwargs: of :class:`toolkit.models.base.VideoModel`.

    Raises:
        InputError: unknown option, or losses that do not fit the scheme.
    """

    window = 1
    offers = dict(
        frames=('fake', 'real', 'masks', 'regions', 'conditions', ADDED),
        region=('fake', 'real', 'masks', 'regions', 'conditions', ADDED),
        gan=('scores',), gan2=('scores',), z=('fake', 'real'), kl=('mu', 'logvar'))

    recordable = True
    nested = dict(feature_maps=FeatureMaps)

    def __init__(self, encoder: dict, generator: dict, discriminator: dict, losses: dict, scheme: str = 'paper',
                 feature_maps: dict | None = None, conditional: bool = False, same_discriminator: bool = False,
                 z_target: str = 'sample', test_samples: int = 0, share_scores: bool = False, **kwargs) -> None:
        super().__init__(losses=losses, **kwargs)
        for name, value, known in (('scheme', scheme, SCHEMES), ('z_target', z_target, Z_TARGETS)):
            if value not in known:
                raise InputError(f'model.{name}={value!r} is unknown, expected one of {", ".join(known)}')
        if self.losses.adversarial('gan') is None or (self.losses.adversarial('gan2') is not None) != (scheme == 'official'):
            raise InputError(f'model.losses has {", ".join(self.losses) or "nothing"}: BicycleGAN needs gan with a weight above 0, and '
                             f'gan2 with scheme="official" only')
        if same_discriminator and scheme == 'paper':
            raise InputError("model.same_discriminator=True is for scheme='official': 'paper' has one discriminator; leave it out")
        if z_target == 'mu' and (scheme == 'official' or not self.losses.of('z')):
            raise InputError("model.z_target='mu' is for scheme='paper' with a loss of='z', the latent regression; leave it out")
        self.scheme, self.conditional, self.same_discriminator = scheme, conditional, same_discriminator
        self.z_target, self.test_samples, self.share_scores = z_target, test_samples, share_scores
        self.feature_maps = FeatureMaps(**dict(dict(edge_channel='real'), **(feature_maps or {})))
        channels = self.feature_maps.channels
        self.net_e = REGION_ENCODERS.build(encoder)
        check_attributes(REGION_ENCODERS, self.net_e, 'BicycleGAN', 'model.encoder', ('region_index', 'nz', 'observe'))
        self.region_index = self.net_e.region_index
        self.net_g = build_generator(generator, 'BicycleGAN', channels, (self.net_e.nz,))
        seen = 3 + channels * conditional
        self.net_d = build_discriminator(discriminator, 'BicycleGAN', seen)
        if scheme == 'official' and not same_discriminator:
            self.net_d2 = build_discriminator(discriminator, 'BicycleGAN', seen)

    def prepare_networks(self) -> None:
        """As in the base class; a compiled generator keeps what it needs to be asked twice, see :meth:`_regression_for_generator`."""
        if self.compile_options and self.scheme == 'paper':
            functorch_config.donated_buffer = False
        super().prepare_networks()

    # ---- training ---------------------------------------------------------------------------------------------------------------

    def train_step(self, data: dict, optim_wrapper: OptimWrapperDict) -> dict[str, Tensor]:
        """One update of generator and encoder, then one of the discriminators.

        Args:
            data: a collated batch of windows, see :class:`toolkit.datasets.windows.ClipWindows`; every frame of a window is a sample.
                It may hold ``recolored_region`` (B, T, 1, H, W); else the region of the pose inside the mask takes its place.
            optim_wrapper: with the keys ``g``, ``e`` and ``d``, and ``d2`` where there is a second discriminator. G and E learn from
                one backward pass: ``e`` follows the precision and accumulation of ``g``; one optimizer ``g`` of both also works.

        Returns:
            Detached scalars: every weighted loss of ``g/...``, ``d/...``, ``d2/...``, and ``e/nats``, ``e/sigma``.

        Raises:
            InputError: an odd batch with scheme 'official', or optimizers that do not fit each other.
        """
        self._check_optimizers(optim_wrapper)
        batch = self.data_preprocessor(data, True)
        encoded, random = self._halves(self.frames_of(batch))
        count, frames = len(encoded.images), batch['frames'].shape[1]
        frames = 1 if count % frames else frames  # half of an odd number of windows
        noise = [self.randn(count, bare(self.net_e).nz, frames=frames, salt=salt) for salt in (0, 1)]
        given = dict(
            encoded=encoded, random=random, noise=noise,
            added={name: batch[name].flatten(0, 1)[:count, None] for name in self.losses.added_fields})
        return self.learning(self._learn, given, optim_wrapper)

    def _learn(self, given: dict, optim_wrapper: OptimWrapperDict) -> dict[str, Tensor]:
        """Losses and updates, see :meth:`toolkit.models.base.VideoModel.learning`.

        With ``share_scores`` each picture goes through its discriminator once: what it says teaches G and E, then itself.
        """
        encoded, random, noise, added = (given[key] for key in ('encoded', 'random', 'noise', 'added'))
        in_g = optim_wrapper['g'].optim_context
        with in_g(self.net_e):
            mu, logvar = self.net_e(encoded.images, encoded.regions, encoded.masks)
        z = mu + (0.5 * logvar).exp() * noise[0]
        separate = self.scheme == 'paper' and bool(self.losses.of('z')) and torch.is_grad_enabled()
        code = z.detach().requires_grad_() if separate else z
        with in_g(self.net_g):
            painted = self.decode(encoded.features, code, encoded.regions)
        g, loss, scores = self._judged(optim_wrapper, 'd', 'gan', encoded, painted)
        frames = dict(fake=painted, real=encoded.images, regions=encoded.regions, conditions=encoded.features)
        seen = self.losses.compute('frames', dict(frames, masks=encoded.masks), added)
        seen |= self.losses.compute('region', dict(frames, masks=encoded.recolored), added)
        judged = [('d', painted, scores, encoded, encoded)]
        regressed, target = painted, z if self.z_target == 'sample' else mu
        if self.scheme == 'official':
            target = noise[1]
            with in_g(self.net_g):
                regressed = self.decode(encoded.features, target, encoded.regions)
            second = 'd' if self.same_discriminator else 'd2'
            more, pulled, scores = self._judged(optim_wrapper, second, 'gan2', encoded, regressed)
            loss, judged = loss + pulled, [*judged, (second, regressed, scores, encoded, random)]
            seen |= more
        seen = self.weighted(seen)
        loss = loss + sum(value for name, value in seen.items() if self.losses.groups[name] != 'gan2')
        g = self.weighted(g) | seen
        if self.losses.of('z'):
            with self.frozen(self.net_e), in_g(self.net_e):
                found, _ = self.net_e(regressed, encoded.regions, encoded.masks)
            regression = self.weighted(self.losses.compute('z', dict(fake=found, real=target)))
            g, regressed = g | regression, sum(regression.values())
            loss = self._regression_for_generator(loss, regressed, painted, code, z) if separate else loss + regressed
        if self.losses.of('kl'):
            divergence = self.weighted(self.losses.compute('kl', dict(mu=mu, logvar=logvar)))
            g, loss = g | divergence, loss + sum(divergence.values())
        self.step(optim_wrapper, 'g', loss)

        logs = {f'g/{k}': v.detach() for k, v in g.items()}
        logs |= self._train_discriminators(optim_wrapper, judged)
        bare(self.net_e).observe(mu)
        mu, logvar = mu.detach(), logvar.detach()
        logs['e/nats'] = 0.5 * (mu.square() + logvar.exp() - 1 - logvar).sum(1).mean()
        logs['e/sigma'] = (0.5 * logvar).exp().mean()
        return logs

    @staticmethod
    def _regression_for_generator(loss: Tensor, regression: Tensor, painted: Tensor, code: Tensor, z: Tensor) -> Tensor:
        """Let the regression teach G but, through the code it painted from, not E.

        The picture depends on G's weights and on z, and the regression may only reach the weights. So the picture was painted from
        ``code``, z cut off from E; what the other losses want of z is asked for first, by a backward pass through G that leaves its
        weights out, and is handed to E as a linear term.

        Args:
            loss: of the picture, all but the regression.
            regression: of the picture.
            painted: the picture (B, 3, H, W).
            code: (B, D) it was painted from.
            z: (B, D) the same values, connected to E.

        Returns:
            A scalar with the wanted gradients; its value means nothing.
        """
        wanted, = torch.autograd.grad(loss, painted)
        wanted_too, = torch.autograd.grad(regression, painted)
        wanted_of_z, = torch.autograd.grad(painted, code, wanted, retain_graph=True)
        return (painted * (wanted + wanted_too)).sum() + (z * wanted_of_z).sum()

    def step(self, optim_wrapper: OptimWrapperDict, name: str, loss: Tensor) -> None:
        """As in the base class; the encoder's optimizer updates together with the generator's, from the same backward pass."""
        super().step(optim_wrapper, name, loss)
        if name == 'g' and 'e' in optim_wrapper and optim_wrapper['g'].should_update():
            optim_wrapper['e'].step()
            optim_wrapper['e'].zero_grad()

    def _judged(self, optim_wrapper: OptimWrapperDict, name: str, group: str, condition: Frames,
                picture: Tensor) -> tuple[dict[str, Tensor], Tensor, list[list[Tensor]] | None]:
        """What a discriminator says of a picture: losses of the group, a scalar by which G learns from them, scores to share."""
        network = getattr(self, f'net_{name}')
        if not self.share_scores:
            with self.frozen(network), optim_wrapper[name].optim_context(network):
                losses = self.losses.compute(group, dict(scores=network(self._with_condition(condition, picture))))
            return losses, sum(self.weighted(losses).values()), None
        seen = picture.detach().requires_grad_()
        with optim_wrapper[name].optim_context(network):
            scores = network(self._with_condition(condition, seen))
        losses = self.losses.compute(group, dict(scores=scores))
        return losses, self.pull(optim_wrapper['g'], self.weighted(losses), seen, picture), scores

    def _train_discriminators(self, optim_wrapper: OptimWrapperDict,
                              judged: list[tuple[str, Tensor, list[list[Tensor]] | None, Frames, Frames]]) -> dict[str, Tensor]:
        """One step of each discriminator; ``judged`` holds (optimizer, painted picture, its scores or None, condition, real frames)."""
        losses = {}
        for group, (name, fake, of_fake, condition, real) in zip(('gan', 'gan2'), judged):
            gan = self.losses[self.losses.adversarial(group)]
            network = getattr(self, f'net_{name}')
            with optim_wrapper[name].optim_context(network):
                if of_fake is None:
                    of_fake = network(self._with_condition(condition, fake.detach()))
                of_real = network(self._with_condition(real, real.images))
            key = 'd2' if group == 'gan2' else 'd'
            losses.setdefault(name, {}).update({
                f'{key}/fake': gan(of_fake, real=False, for_discriminator=True),
                f'{key}/real': gan(of_real, real=True, for_discriminator=True)})
        for name, terms in losses.items():
            self.step(optim_wrapper, name, sum(terms.values()))
        return {key: value.detach() for terms in losses.values() for key, value in terms.items()}

    def _with_condition(self, condition: Frames, pictures: Tensor) -> Tensor:
        return torch.cat([condition.features.to(pictures.dtype), pictures], 1) if self.conditional else pictures

    def _halves(self, frames: Frames) -> tuple[Frames, Frames | None]:
        if self.scheme == 'paper':
            return frames, None
        size = len(frames.images)
        if size % 2:
            raise InputError(f'scheme="official" splits a batch into an encoded and a random half, but this process has {size} frames; '
                             f'make train_dataloader.batch_size even')
        return frames.part(0, size // 2), frames.part(size // 2, size)

    @staticmethod
    def _check_optimizers(optim_wrapper: OptimWrapperDict) -> None:
        if any(getattr(w, 'dtype', None) is torch.float16 for w in optim_wrapper.values()):
            raise InputError('BicycleGAN cannot train in float16: its encoder and generator share a backward pass; use bfloat16')
        if 'e' in optim_wrapper and optim_wrapper['e']._accumulative_counts != optim_wrapper['g']._accumulative_counts:
            raise InputError('optim_wrapper.e.accumulative_counts must equal that of g: both learn from one backward pass')

    # ---- use --------------------------------------------------------------------------------------------------------------------

    def frames_of(self, batch: dict) -> Frames:
        """Every frame of a preprocessed batch as a sample of its own.

        Args:
            batch: ``frames`` (B, T, 3, H, W), ``pose_maps``, ``edges``, ``masks``, ``regions``, ``poses``, and perhaps
                ``recolored_region`` (B, T, 1, H, W), see :meth:`train_step`.
        """
        regions, masks = batch['regions'].flatten(0, 1), batch['masks'].flatten(0, 1)
        if 'recolored_region' in batch:
            recolored = batch['recolored_region'].flatten(0, 1)
        else:
            recolored = regions[:, self.region_index:self.region_index + 1] * masks
        features = 2 * self.feature_maps(batch).flatten(0, 1) - 1
        return Frames(features, batch['frames'].flatten(0, 1), regions, masks, recolored)

    @property
    def encoder(self) -> nn.Module:
        """As in the base class."""
        return bare(self.net_e)

    def encode(self, images: Tensor, regions: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
        """mu and logvar (B, D) of the garment in pictures, see :mod:`toolkit.region_encoders`."""
        return self.net_e(images, regions, masks)

    def decode(self, features: Tensor, z: Tensor, regions: Tensor | None = None) -> Tensor:
        """Paint pictures (B, 3, H, W) in [-1, 1] from F (B, C, H, W) in [-1, 1] and z (B, D).

        Regions (B, 2, H, W) are for a generator that lets the code act inside of the garment's region alone.
        """
        return self.net_g(features, z, None if regions is None else regions[:, self.region_index, None])

    @torch.no_grad()
    def test_step(self, data: dict, chunk: int = 16) -> list[dict]:
        """Reconstruct every frame of a clip from its feature map and the mean of its code.

        Args:
            data: one whole-clip item (``window=None``) with a batch axis of 1.
            chunk: frames at a time.

        Returns:
            One dict, see :meth:`toolkit.models.base.VideoModel.clip_result`, and ``mu``, ``logvar`` (T, D) float32; with
            ``test_samples`` N also ``samples`` (N, T, H, W, 3) uint8, the clip painted from N codes of the prior.
        """
        codes = torch.randn(self.test_samples, bare(self.net_e).nz, generator=torch.Generator().manual_seed(0))
        codes = codes.to(self.data_preprocessor.device)
        pictures, means, logvars, samples = [], [], [], []
        for start in range(0, data['frames'].shape[1], chunk):
            part = fields.cut(data, start, start + chunk, axis=1)
            frames = self.frames_of(self.data_preprocessor(part))
            with self.inference_context():
                mu, logvar = self.encode(frames.images, frames.regions, frames.masks)
                pictures.append(self._uint8(self.decode(frames.features, mu, frames.regions)))
                samples.append([
                    self._uint8(self.decode(frames.features, z.expand(len(mu), -1), frames.regions)) for z in codes])
            means.append(mu.float().cpu().numpy())
            logvars.append(logvar.float().cpu().numpy())
        result = self.clip_result(data, np.concatenate(pictures))
        result.update(mu=np.concatenate(means), logvar=np.concatenate(logvars))
        if self.test_samples:
            result['samples'] = np.stack([np.concatenate(frames) for frames in zip(*samples)])
        return [result]

    def _uint8(self, images: Tensor) -> np.ndarray:
        return self.data_preprocessor.to_uint8(images).numpy()

    def example_batch(self, height: int, width: int, frames: int = 1) -> dict:
        """As in the base class; the scheme 'official' gets two samples."""
        batch = super().example_batch(height, width, frames)
        if self.scheme == 'official':
            batch = {k: torch.cat([v, v]) if torch.is_tensor(v) else v * 2 for k, v in batch.items()}
        return batch
