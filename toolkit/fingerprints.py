"""What a part reads, as a short hash: files or weights that changed under the same name are noticed."""

import hashlib


def part_fingerprint(part) -> str | None:
    """Hash of what a part was built from, or None if it reads nothing.

    It is the part's own ``fingerprint`` if it has one, else that of the weights of its networks: of the part itself, or of its
    attributes.

    Returns:
        16 hexadecimal digits.
    """
    import torch
    from torch import nn
    own = getattr(part, 'fingerprint', None)
    if own is not None:
        return str(own)
    candidates = [part] if isinstance(part, nn.Module) else getattr(part, '__dict__', {}).values()
    networks = [value for value in candidates if isinstance(value, nn.Module)]
    digest, count = hashlib.sha256(), 0
    for network in networks:
        for name, tensor in sorted(network.state_dict().items()):
            if isinstance(tensor, torch.Tensor):
                values = tensor.detach().cpu().contiguous()
                digest.update(f'{name} {tuple(values.shape)} {values.dtype}'.encode())
                digest.update(values.flatten().view(torch.uint8).numpy().data if values.numel() else b'')
                count += 1
    return digest.hexdigest()[:16] if count else None
