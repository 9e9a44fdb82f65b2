"""What a trained ReLU twin knows, handed to its spiking network: one threshold for all layers, in units of the twin's activations.

    theta = mean over layers of the q-quantile of y_l > 0            y_l = ReLU(BN_l(x)), on training images
    y_l ~ theta s_l, s_l a spike at V_th:   BN_l -> (V_th / theta) BN_l;   W_head -> theta W_head
    behind the first layer the norms' moving means -> / theta, their variances -> / theta^2

In its first step each layer of a spiking network with these weights answers like the twin's, were its activations cut to 0 or theta. It has
to be trained on, but begins near. Sums of currents (shortcuts) stay right, as theta is one for all layers.
Source: threshold balancing, Diehl et al., 2015, IJCNN; the quantile: Rueckauer et al., 2017, Front. Neurosci. 11:682.
"""

import torch
from spikingjelly.activation_based import layer
from torch import Tensor, nn

from snn5.errors import UserError
from snn5.models import SpikingModel
from snn5.neurons import IF, LIF
from snn5.training import Samples, in_order

IMAGES, DRAWN = 500, 200_000  # training images looked at; activations of a layer, evenly spread, that the quantile is of


@torch.no_grad()
def threshold_of(twin: SpikingModel, train: Samples, quantile: float) -> float:
    """theta, on the first training images."""
    found: list[float] = []

    def look(_module: nn.Module, _inputs: tuple[Tensor, ...], y: Tensor) -> None:
        some = y[y > 0].float().flatten()
        found.append(float(torch.quantile(some[:: 1 + len(some) // DRAWN], quantile)) if len(some) else 0.0)

    hooks = [module.register_forward_hook(look) for module in twin.modules() if isinstance(module, nn.ReLU)]
    twin.eval()
    twin(next(iter(in_order(train, IMAGES)))[0])
    for hook in hooks:
        hook.remove()
    if not found or min(found) <= 0.0:
        raise UserError("a layer of the guide is silent, so nothing can start from it; train the guide longer, or at a lower guide.lr")
    return sum(found) / len(found)


def v_threshold_of(model: SpikingModel) -> float:
    """V_th of the neurons of a model that can be given a twin's weights.

    Raises:
        UserError: it has not as many batch norms as neurons, or not one linear layer; its neurons weight their current.
    """
    neurons = [module for module in model.modules() if isinstance(module, LIF | IF)]
    norms = [module for module in model.modules() if isinstance(module, layer.BatchNorm2d)]
    heads = [module for module in model.modules() if isinstance(module, layer.Linear)]
    if len(heads) != 1 or not neurons or len(norms) != len(neurons):
        need = "a batch norm for each lif or if neuron and one linear layer, as spiking_airnet has"
        raise UserError(f"{model.name}: a guide's network needs {need}")
    if any(getattr(neuron, "decay_input", False) for neuron in neurons):
        raise UserError(f"{model.name}: neurons that decay their input see a part of a current only; take neuron_args.decay_input: false")
    return float(neurons[0].v_threshold)


@torch.no_grad()
def hand_over(twin: SpikingModel, model: SpikingModel, theta: float, v_threshold: float = 1.0) -> None:
    """Put the twin's weights into `model`, scaled; parameters of its neurons, which a twin does not have, stay."""
    model.load_state_dict({**model.state_dict(), **twin.state_dict()})
    for i, norm in enumerate(module for module in model.modules() if isinstance(module, layer.BatchNorm2d)):
        norm.weight *= v_threshold / theta
        norm.bias *= v_threshold / theta
        if i > 0:  # the first hears the image
            norm.running_mean /= theta
            norm.running_var /= theta**2
    next(module for module in model.modules() if isinstance(module, layer.Linear)).weight *= theta
