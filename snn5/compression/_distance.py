"""How far a compressed network's spikes are from the original's, on samples that neither was made with.

    d_l = sum ||M (S_l - S'_l)||^2 / sum ||M S_l||^2,   sums over samples, neurons and steps

S_l are the spikes of neuron layer l of the original, S'_l those of the compressed network on the same samples, each network running on its
own: what went wrong before l is in it. M is the leak of the neuron itself (the van Rossum distance); a twin's activations are compared as
they are. 0: the same spikes. 1: as wrong as silence.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from snn5.checkpoint import Checkpoint
from snn5.compression._calibration import batches, device_of
from snn5.compression._leak import is_activation, leak_of, van_rossum
from snn5.errors import UserError
from snn5.training import Samples


@torch.no_grad()
def spike_distances(original: Checkpoint, compressed: Checkpoint, held_out: Samples | Tensor) -> dict[str, float]:
    """d_l of every neuron layer that spikes at all in the original, by name.

    Args:
        original, compressed: two networks of one architecture. held_out: samples that neither was made with.

    Raises:
        UserError: the networks have different neuron layers, or nothing spikes.
    """
    models = [c.build().to(device_of(held_out)) for c in (original, compressed)]
    neurons = [{n: m for n, m in model.named_modules() if is_activation(m)} for model in models]
    if neurons[0].keys() != neurons[1].keys():
        differ = sorted(neurons[0].keys() ^ neurons[1].keys())
        raise UserError(f"the two networks have different neuron layers ({', '.join(differ[:3])}); compare a network with its own original")
    sums = {name: torch.zeros(2, dtype=torch.float64) for name in neurons[0]}
    for x_TNCHW in batches(held_out):
        spikes = []
        for model, own in zip(models, neurons, strict=True):
            with _outputs(own) as collected:
                model(x_TNCHW)
            spikes.append(collected)
        for name, neuron in neurons[0].items():
            if name in spikes[0]:
                sums[name] += torch.tensor(van_rossum(spikes[0][name], spikes[1][name], leak_of(neuron)), dtype=torch.float64)
    found = {name: float(apart / all_) for name, (apart, all_) in sums.items() if all_ > 0}
    if not found:
        raise UserError("no neuron of the original spikes on these samples; there is nothing to compare with")
    return found


def spike_distance(original: Checkpoint, compressed: Checkpoint, held_out: Samples | Tensor) -> float:
    """The mean of `spike_distances` over the layers."""
    found = spike_distances(original, compressed, held_out)
    return sum(found.values()) / len(found)


@contextmanager
def _outputs(neurons: dict[str, nn.Module]) -> Iterator[dict[str, Tensor]]:
    collected: dict[str, Tensor] = {}

    def keep(name: str) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
        def hook(_module: nn.Module, _inputs: tuple[Tensor, ...], s_TN: Tensor) -> None:
            collected[name] = s_TN

        return hook

    handles = [neuron.register_forward_hook(keep(name)) for name, neuron in neurons.items()]
    try:
        yield collected
    finally:
        for handle in handles:
            handle.remove()
