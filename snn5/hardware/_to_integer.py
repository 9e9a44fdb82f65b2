"""Checkpoint -> IntegerNetwork: the network that chips and the event engine run (P5.2).

The model's own forward is traced on linear forms (`_trace_model`), norms and pools end in weights, and what is left is scaled to whole
numbers (`_scale`). What that costs in accuracy is measured apart (`agreement`); behind it, all backends are exact.
"""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from snn5.checkpoint import Checkpoint
from snn5.errors import UserError, unknown
from snn5.hardware._form import convolve, source
from snn5.hardware._integer_network import INPUT, IntegerNetwork
from snn5.hardware._rules import rule_of
from snn5.hardware._scale import Rounding, Scale
from snn5.hardware._trace_model import Tracer, Wire, known_problems, on_wires, pool
from snn5.hardware._unportable import Problem, not_portable
from snn5.models import SpikingModel

NEVER = 2**62


def to_integer(checkpoint: Checkpoint, *, scale: Scale = "channel", bits: int = 8) -> IntegerNetwork:
    """The checkpoint in whole numbers; a quantised one exactly (levels times a whole factor), a float one rounded to `bits` bits.

    Args:
        scale: `channel`: a unit, and so a threshold, for every channel; `tensor`: one for a layer, which is what Lava's own LIF has.
        bits: of a weight, 2 to 8; fewer leave more room in 16 bit sums.

    Raises:
        UserError: what has no integer form, layer by layer, with the reason and the nearest choice that has; an ANN twin; a cutoff by
            another rule than `gap`.
    """
    card = checkpoint.card
    divisor = float(card.preprocessing.get("scale", 1.0))
    model = checkpoint.build()
    if not isinstance(model, SpikingModel):
        raise UserError(f"{card.model!r} is no model of the registry; port a live module with snn5.hardware.port")
    side = model.image_size * model.bin_pixels
    network = port(model, (model.in_channels, side, side), card.time_steps, divisor=divisor, scale=scale, bits=bits)
    return IntegerNetwork(
        populations=network.populations,
        readout=network.readout,
        input_shape=network.input_shape,
        time_steps=network.time_steps,
        cutoff=whole_cutoff(card.cutoff, network.readout.scale, card.time_steps),
        exact=network.exact,
    )


def port(
    model: nn.Module,
    input_shape: tuple[int, int, int],
    time_steps: int,
    *,
    divisor: float = 1.0,
    scale: Scale = "channel",
    bits: int = 8,
) -> IntegerNetwork:
    """A live model in whole numbers.

    Args:
        model: on x_TNCHW, in eval mode. input_shape: (C, H, W). time_steps: T.
        divisor: what the whole numbers of the input are divided by before the model sees them; it goes into the first weights.
        scale, bits: as `to_integer`.

    Raises:
        UserError: as `to_integer`.
    """
    if scale not in ("channel", "tensor"):
        raise unknown("scale", scale, ("channel", "tensor"))
    if not 2 <= bits <= 8:
        raise UserError(f"bits={bits}; need 2 to 8, the width of a synapse on the chips")
    tracer, logits = trace(model, input_shape, divisor)
    shapes = {INPUT: input_shape} | {n.name: n.form.shape for n in tracer.neurons}
    rounding = Rounding(scale=scale, bits=bits, shapes=shapes)
    made = [rounding.population(neurons) for neurons in tracer.neurons]
    return IntegerNetwork(
        populations=tuple(population for population, _ in made),
        readout=rounding.readout(logits.form),
        input_shape=input_shape,
        time_steps=time_steps,
        exact=all(exact for _, exact in made),
    )


def trace(model: nn.Module, input_shape: tuple[int, int, int], divisor: float) -> tuple[Tracer, Wire]:
    """The populations of a model in real numbers, and its logits.

    Raises:
        UserError: as `to_integer`.
    """
    tracer = Tracer(model=getattr(model, "name", "") or type(model).__name__)
    tracer.problems += known_problems(model, rule_of)
    if not getattr(model, "causal", True):
        tracer.problems.append(
            Problem(layer="the model", kind=type(model).__name__, reason="a step depends on later ones", nearest="take a causal model")
        )
    if tracer.problems:
        raise not_portable(tracer.model, tracer.problems)
    form = source(INPUT, input_shape)
    wire = Wire(form.scaled(torch.full_like(form.bias, 1 / divisor)), tracer)
    with torch.no_grad(), on_wires(model, tracer, rule_of):
        logits = _run(model, wire)
    if tracer.problems:
        raise not_portable(tracer.model, tracer.problems)
    if logits.form.shape[1:] != (1, 1):
        raise UserError(f"{tracer.model} answers an image of shape {list(logits.form.shape)}; need one number per class")
    return tracer, logits


def _run(model: nn.Module, wire: Wire) -> Wire:
    if not isinstance(model, SpikingModel):
        return _wire(model, model(wire))
    if model.bin_pixels > 1:
        block = (model.bin_pixels, model.bin_pixels)
        wire = wire.to(convolve(wire.form, pool(wire.form.shape[0], block, 1.0, stride=model.bin_pixels)))
    return _wire(model, model.run(model.stem(wire)))


def _wire(model: nn.Module, answer: Any) -> Wire:
    if not isinstance(answer, Wire):
        raise UserError(f"{type(model).__name__} answers a {type(answer).__name__} that does not depend on its input")
    return answer


def whole_cutoff(cutoff: Mapping[str, Any] | None, unit: float, time_steps: int) -> tuple[int, ...] | None:
    """Gaps of summed logits in whole units: leaving at gap > beta is leaving at whole gap > floor(beta / unit).

    Raises:
        UserError: another rule than `gap`.
    """
    if cutoff is None:
        return None
    if cutoff.get("rule") != "gap":
        raise UserError(
            f"cutoff rule {cutoff.get('rule')!r} needs exponentials, which the chips lack; calibrate with rule='gap', or drop the cutoff"
        )
    betas = [float(beta) for beta in cutoff["thresholds"]][:time_steps]
    return tuple(NEVER if beta == math.inf else max(-NEVER, math.floor(beta / unit)) if beta > -math.inf else -NEVER for beta in betas)
