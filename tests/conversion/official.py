"""Networks of the authors' codes, stated again from papers and from how their files are laid out: made weights, and what they compute.

Only torch's functions are used, so that nothing of the toolkit's networks is in it. A made network is a dict from the authors' keys to
tensors.
"""

import torch
import torch.nn.functional as F


class Maker:
    """Makes tensors under the authors' keys."""

    def __init__(self, seed=0):
        self.state, self.draw = {}, torch.Generator().manual_seed(seed)

    def randn(self, *shape):
        return torch.randn(shape, generator=self.draw)

    def conv(self, key, inputs, outputs, size, transposed=False, bias=True):
        shape = (inputs, outputs) if transposed else (outputs, inputs)
        self.state[f'{key}.weight'] = self.randn(*shape, size, size) * (2 / (inputs * size * size))**.5
        if bias:
            self.state[f'{key}.bias'] = .1 * self.randn(outputs)

    def batch_norm(self, key, channels):
        self.state |= {f'{key}.weight': 1 + .1 * self.randn(channels), f'{key}.bias': .1 * self.randn(channels),
                       f'{key}.running_mean': .1 * self.randn(channels), f'{key}.running_var': 1 + self.randn(channels).square(),
                       f'{key}.num_batches_tracked': torch.tensor(7)}

    def linear(self, key, inputs, outputs):
        self.state |= {f'{key}.weight': self.randn(outputs, inputs) / inputs**.5, f'{key}.bias': .1 * self.randn(outputs)}


def norm(state, key, x):
    """Batch norm as in evaluation where there are weights, else instance norm."""
    if f'{key}.weight' not in state:
        return F.instance_norm(x, eps=1e-5)
    shape = (1, -1, 1, 1)
    scale = state[f'{key}.weight'] / (state[f'{key}.running_var'] + 1e-5).sqrt()
    return (x - state[f'{key}.running_mean'].view(shape)) * scale.view(shape) + state[f'{key}.bias'].view(shape)


def conv(state, key, x, stride=1, padding=0, reflect=0):
    x = F.pad(x, [reflect] * 4, 'reflect') if reflect else x
    return F.conv2d(x, state[f'{key}.weight'], state.get(f'{key}.bias'), stride, padding)


def doubled(state, key, x, size=3):
    """Transposed convolution of stride 2: 3x3 as in the residual generators, or 4x4 as in the U-Nets."""
    return F.conv_transpose2d(x, state[f'{key}.weight'], state.get(f'{key}.bias'), 2, 1, output_padding=1 if size == 3 else 0)


# ---- residual generators (pix2pixHD, CycleGAN) ----------------------------------------------------------------------------------


def make_trunk(m, prefix, inputs, ngf, downs, blocks, batch=False, bias=True, dropout=False, outputs=3, head=True):
    """A Sequential: stem, halvings, residual blocks, doublings and, with ``head``, the last convolution."""
    def layer(index, *args, **kwargs):
        m.conv(f'{prefix}.{index}', *args, bias=bias, **kwargs)
        if batch:
            m.batch_norm(f'{prefix}.{index + 1}', args[1])

    layer(1, inputs, ngf, 7)
    index, width = 4, ngf
    for _ in range(downs):
        layer(index, width, 2 * width, 3)
        index, width = index + 3, 2 * width
    for _ in range(blocks):
        make_block(m, f'{prefix}.{index}', width, batch, bias, dropout)
        index += 1
    for _ in range(downs):
        layer(index, width, width // 2, 3, transposed=True)
        index, width = index + 3, width // 2
    if head:
        m.conv(f'{prefix}.{index + 1}', ngf, outputs, 7)


def make_block(m, prefix, width, batch=False, bias=True, dropout=False):
    for index in (1, 6 if dropout else 5):
        m.conv(f'{prefix}.conv_block.{index}', width, width, 3, bias=bias)
        if batch:
            m.batch_norm(f'{prefix}.conv_block.{index + 1}', width)


def run_block(state, prefix, x, second=5):
    h = F.relu(norm(state, f'{prefix}.conv_block.2', conv(state, f'{prefix}.conv_block.1', x, reflect=1)))
    return x + norm(state, f'{prefix}.conv_block.{second + 1}', conv(state, f'{prefix}.conv_block.{second}', h, reflect=1))


def run_trunk(state, prefix, x, downs, blocks, head=True, second=5):
    x, index = F.relu(norm(state, f'{prefix}.2', conv(state, f'{prefix}.1', x, reflect=3))), 4
    for _ in range(downs):
        x, index = F.relu(norm(state, f'{prefix}.{index + 1}', conv(state, f'{prefix}.{index}', x, 2, 1))), index + 3
    for _ in range(blocks):
        x, index = run_block(state, f'{prefix}.{index}', x, second), index + 1
    for _ in range(downs):
        x, index = F.relu(norm(state, f'{prefix}.{index + 1}', doubled(state, f'{prefix}.{index}', x))), index + 3
    return conv(state, f'{prefix}.{index + 1}', x, reflect=3).tanh() if head else x


def make_enhancers(m, inputs, ngf, downs, blocks, enhancers, local_blocks):
    make_trunk(m, 'model', inputs, ngf * 2**enhancers, downs, blocks, head=False)
    for n in range(1, enhancers + 1):
        width = ngf * 2**(enhancers - n)
        m.conv(f'model{n}_1.1', inputs, width, 7)
        m.conv(f'model{n}_1.4', width, 2 * width, 3)
        for block in range(local_blocks):
            make_block(m, f'model{n}_2.{block}', 2 * width)
        m.conv(f'model{n}_2.{local_blocks}', 2 * width, width, 3, transposed=True)
    m.conv(f'model{enhancers}_2.{local_blocks + 4}', ngf, 3, 7)


def run_enhancers(state, x, downs, blocks, enhancers, local_blocks):
    sizes = [x]
    for _ in range(enhancers):
        sizes.append(F.avg_pool2d(sizes[-1], 3, 2, 1, count_include_pad=False))
    out = run_trunk(state, 'model', sizes[-1], downs, blocks, head=False)
    for n in range(1, enhancers + 1):
        h = F.relu(F.instance_norm(conv(state, f'model{n}_1.1', sizes[enhancers - n], reflect=3)))
        out = out + F.relu(F.instance_norm(conv(state, f'model{n}_1.4', h, 2, 1)))
        for block in range(local_blocks):
            out = run_block(state, f'model{n}_2.{block}', out)
        out = F.relu(F.instance_norm(doubled(state, f'model{n}_2.{local_blocks}', out)))
    return conv(state, f'model{enhancers}_2.{local_blocks + 4}', out, reflect=3).tanh()


# ---- discriminators -------------------------------------------------------------------------------------------------------------


def make_patches(m, names, inputs, widths, batch=False, bias=True):
    """4x4 convolutions; ``names`` are the keys of the convolutions, a norm has the next number."""
    for i, (name, a, b) in enumerate(zip(names, [inputs, *widths], [*widths, 1])):
        inner = 0 < i < len(widths)
        m.conv(name, a, b, 4, bias=bias or not inner)
        if batch and inner:
            head, _, last = name.rpartition('.')
            m.batch_norm(f'{head}.{int(last) + 1}', b)


def run_patches(state, names, x, padding):
    """Every layer's output."""
    outputs = []
    for i, name in enumerate(names):
        x = conv(state, name, x, 2 if i < len(names) - 2 else 1, padding)
        if 0 < i < len(names) - 1:
            head, _, last = name.rpartition('.')
            x = norm(state, f'{head}.{int(last) + 1}', x)
        x = x if i == len(names) - 1 else F.leaky_relu(x, .2)
        outputs.append(x)
    return outputs


def in_one(prefix, layers):
    """Keys of the convolutions of a PatchGAN in one Sequential."""
    return [f'{prefix}.{i}' for i in (0, *(3 * n - 1 for n in range(1, layers + 1)), 3 * layers + 2)]


def run_scales(state, scales, x, padding):
    """Discriminators, finest first, on pictures that are halved."""
    outputs = []
    for names in scales:
        outputs.append(run_patches(state, names, x, padding))
        x = F.avg_pool2d(x, 3, 2, 1, count_include_pad=False)
    return outputs


# ---- U-Nets ---------------------------------------------------------------------------------------------------------------------


def enlarged(state, key, x, bilinear):
    if not bilinear:
        return doubled(state, key, x, 4)
    return conv(state, key, F.interpolate(x, scale_factor=2, mode='bilinear'), reflect=1)


def nested_names(levels, norms=True, bilinear=False):
    """(prefix, index of the convolution down, of its norm, up, of its norm) of each level of a nested U-Net."""
    names, prefix, step = [], 'model.model', 2 if bilinear else 0
    for level in range(levels):
        if level == 0:
            names.append((prefix, 0, None, 3 + step, None))
            prefix += '.1.model'
        elif level < levels - 1:
            inner = 3 if norms else 2
            names.append((prefix, 1, 2 if norms else None, inner + 2 + step, inner + 3 + step if norms else None))
            prefix += f'.{inner}.model'
        else:
            names.append((prefix, 1, None, 3 + step, 4 + step if norms else None))
    return names


def make_unet(m, keys, inputs, ngf, nz=0, everywhere=False, batch=False, bias=True, bilinear=False, outputs=3):
    """``keys``: of each level (convolution down, norm, convolution up, norm)."""
    widths = [ngf * min(2**level, 8) for level in range(len(keys))]
    for level, (down, down_norm, up, up_norm) in enumerate(keys):
        outer, inner = [inputs, *widths][level], widths[level]
        innermost = level == len(keys) - 1
        m.conv(down, outer + (nz if everywhere or level == 0 else 0), inner, 4, bias=bias or level == 0 and not batch)
        m.conv(up, inner if innermost else 2 * inner, outer if level else outputs, 3 if bilinear else 4, transposed=not bilinear,
               bias=bias or level == 0)
        if batch:
            if level and not innermost:
                m.batch_norm(down_norm, inner)
            if level:
                m.batch_norm(up_norm, outer)


def run_unet(state, keys, x, z=None, everywhere=False, skip_first=False, bilinear=False, norms=True):
    """``skip_first``: CycleGAN hands on [what came in, what comes out], BicycleGAN the other way round."""
    maybe = (lambda key, h: norm(state, key, h)) if norms else (lambda key, h: h)

    def level(number, x):
        down, down_norm, up, up_norm = keys[number]
        outermost, innermost = number == 0, number == len(keys) - 1
        h = x
        if z is not None and (everywhere or outermost):
            h = torch.cat([h, z[:, :, None, None].expand(-1, -1, *x.shape[2:])], 1)
        h = conv(state, down, h if outermost else F.leaky_relu(h, .2), 2, 1)
        if not innermost:
            h = level(number + 1, h if outermost else maybe(down_norm, h))
        h = enlarged(state, up, F.relu(h), bilinear)
        if outermost:
            return h.tanh()
        h = maybe(up_norm, h)
        return torch.cat([x, h] if skip_first else [h, x], 1)

    return level(0, x)


# ---- BicycleGAN's encoder -------------------------------------------------------------------------------------------------------


def make_encoder(m, nef, blocks, nz):
    m.conv('conv.0', 3, nef, 4)
    for n in range(1, blocks):
        a, b = nef * min(4, n), nef * min(4, n + 1)
        m.conv(f'conv.{n}.conv.2', a, a, 3)
        m.conv(f'conv.{n}.conv.5.0', a, b, 3)
        m.conv(f'conv.{n}.shortcut.1', a, b, 1)
    for head in ('fc', 'fcVar'):
        m.linear(f'{head}.0', b, nz)


def run_encoder(state, x, blocks):
    x = conv(state, 'conv.0', x, 2, 1)
    for n in range(1, blocks):
        h = conv(state, f'conv.{n}.conv.2', F.leaky_relu(F.instance_norm(x), .2), 1, 1)
        h = conv(state, f'conv.{n}.conv.5.0', F.leaky_relu(F.instance_norm(h), .2), 1, 1)
        x = F.avg_pool2d(h, 2) + conv(state, f'conv.{n}.shortcut.1', F.avg_pool2d(x, 2))
    x = F.avg_pool2d(F.leaky_relu(x, .2), 8).flatten(1)
    return tuple(F.linear(x, state[f'{head}.0.weight'], state[f'{head}.0.bias']) for head in ('fc', 'fcVar'))
