"""A plain spiking MLP: what every layer of neurons sees is the whole layer before it. The dense network of the hardware proofs.

    x -> (linear-BN-SN) x layers -> linear, per step

A linear layer on an image is a convolution whose kernel is the image, and stays one here, so that all that knows convolutions (norms that
fold, quantisation, counters, ports to chips) knows this network.
"""

from collections.abc import Callable
from typing import Any

from spikingjelly.activation_based import layer
from torch import Tensor, nn

from snn5.models._base import SpikingModel
from snn5.models._checks import whole_numbers
from snn5.models._parts import conv_norm, neurons_of


class SpikingMLP(SpikingModel):
    """MLP.

    Args:
        width: neurons of a hidden layer. layers: hidden layers.
        neuron, neuron_args: the neuron's registered name and its arguments.
    """

    def __init__(
        self, *, width: int = 256, layers: int = 2, neuron: str = "plif", neuron_args: dict[str, Any] | None = None, **shape: int
    ) -> None:
        super().__init__(**shape)
        whole_numbers(width=width, layers=layers)
        make_neuron = neurons_of(neuron, self.time_steps, neuron_args)
        self.stem_conv = nn.Sequential(
            layer.Conv2d(self.in_channels, width, self.image_size, bias=False, step_mode="m"), layer.BatchNorm2d(width, step_mode="m")
        )
        hidden: list[nn.Module] = [make_neuron(width)]
        for _ in range(layers - 1):
            hidden += [conv_norm(width, width, kernel=1), make_neuron(width)]
        self.hidden = nn.Sequential(*hidden)
        self.head = layer.Linear(width, self.num_classes, step_mode="m")

    def stem(self, x_TNCHW: Tensor) -> Tensor:
        """linear-BN: [T, N, width, 1, 1]."""
        return self.stem_conv(x_TNCHW)

    def run(self, current_TNCHW: Tensor) -> Tensor:
        """Neurons, hidden layers, one linear layer per step."""
        return self.head(self.hidden(current_TNCHW).flatten(2))


MODELS: dict[str, Callable[..., SpikingModel]] = {"spiking_mlp": SpikingMLP}
