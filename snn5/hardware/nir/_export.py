"""IntegerNetwork -> NIR.

NIR's LIF is tau dv/dt = -v + r I, spike if v > v_threshold, v = v_reset. With r = tau / dt, a step of forward Euler is what the integer
network does:

    v[t] = v[t-1] (1 - dt / tau) + I[t],   dt / tau = d / 4096

d = 0 is NIR's IF with r = 1 / dt, d = 4096 its Threshold. Synapses are Conv2d or Affine nodes (behind a Flatten); edges that meet add up.
A grouped convolution is written out with zeros: nir 1.0.8 takes its shapes for those of an ungrouped one. Numbers are whole, in weight
steps. What NIR has no place for (T, the cutoff, names, the read-out's scale) is JSON in the graph's metadata.
Source: Pedersen et al., Neuromorphic intermediate representation, Nature Communications 2024; nir 1.0.8.
"""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snn5.checkpoint import Checkpoint
from snn5.errors import UserError
from snn5.files import atomic_path
from snn5.hardware._integer_network import INPUT, ONE, IntegerNetwork, Population, Synapses
from snn5.hardware._to_integer import to_integer

DT_S = 1e-4  # of a step, which NIR's readers take unless they are told
KEY = "snn5"
READOUT = "readout"
Shape = tuple[int, int, int]


def export(source: IntegerNetwork | Checkpoint, path: str | Path, *, inclusive: bool = False) -> Path:
    """Write a network as one NIR file (HDF5).

    Args:
        source: an integer network, or a checkpoint, which becomes one.
        inclusive: write the next number above each threshold, for readers whose neurons fire at their threshold (SpikingJelly), not above
            it, as NIR says.

    Raises:
        UserError: a checkpoint that has no integer form; neurons that fire once, which NIR cannot say.
    """
    import nir

    network = to_integer(source) if isinstance(source, Checkpoint) else source
    with atomic_path(Path(path)) as partial:
        nir.write(str(partial), to_graph(network, inclusive=inclusive))
    return Path(path)


def to_graph(network: IntegerNetwork, *, inclusive: bool = False) -> Any:
    """The NIR graph of a network; see `export`."""
    import nir

    shapes: dict[str, Shape] = {INPUT: network.input_shape} | {p.name: p.shape for p in network.populations}
    nodes: dict[str, Any] = {INPUT: nir.Input(input_type={"input": np.array(network.input_shape)})}
    edges: list[tuple[str, str]] = []
    entries = []
    for p in network.populations:
        if p.once:
            raise UserError(f"population {p.name} fires once (time to first spike); NIR has no such neuron")
        name, dense = node_name(p.name), any(one.kind == "dense" for one in p.synapses)
        nodes[name] = _neurons(nir, p, p.shape[:1] if dense else p.shape, inclusive=inclusive)
        entries.append({"name": p.name, "synapses": _connect(nir, nodes, edges, name, p.synapses, p.bias, shapes)})
    readout = network.readout
    synapses = _connect(nir, nodes, edges, READOUT, readout.synapses, readout.bias, shapes)
    nodes[READOUT] = nir.Output(output_type={"output": np.array([len(readout.bias)])})
    card = {
        "populations": entries,
        "readout": {"synapses": synapses, "scale": readout.scale},
        "time_steps": network.time_steps,
        "cutoff": network.cutoff,
        "exact": network.exact,
        "dt_s": DT_S,
    }
    return nir.NIRGraph(nodes=nodes, edges=edges, metadata={KEY: json.dumps(card)})


def node_name(name: str) -> str:
    """A population's name as an identifier, which readers that write Python need."""
    return "p_" + name.replace(".", "_")


def _neurons(nir: Any, p: Population, shape: tuple[int, ...], *, inclusive: bool) -> Any:
    theta = p.threshold.astype(np.float64)
    theta = np.nextafter(theta, math.inf) if inclusive else theta
    threshold = np.broadcast_to(theta.reshape(-1, *[1] * (len(shape) - 1)), shape).copy()
    if p.decay == ONE:
        return nir.Threshold(threshold=threshold)
    if p.decay == 0:
        return nir.IF(r=np.full(shape, 1 / DT_S), v_threshold=threshold, v_reset=np.zeros(shape))
    tau = ONE / p.decay
    return nir.LIF(
        tau=np.full(shape, tau * DT_S), r=np.full(shape, tau), v_leak=np.zeros(shape), v_threshold=threshold, v_reset=np.zeros(shape)
    )


def _connect(
    nir: Any,
    nodes: dict[str, Any],
    edges: list[tuple[str, str]],
    target: str,
    synapses: tuple[Synapses, ...],
    bias: NDArray[Any],
    shapes: dict[str, Shape],
) -> list[dict[str, Any]]:
    """Nodes and edges into `target`; the first synapses carry the bias."""
    made = []
    kinds = {one.kind for one in synapses}
    if len(kinds) > 1 and math.prod(shapes.get(target, (1, 1, 1))[1:]) > 1:
        raise UserError(f"{target} has dense and convolutional synapses on an image; NIR's shapes do not meet")
    for k, one in enumerate(synapses):
        name, source = f"{target}_w{k}", node_name(one.source) if one.source != INPUT else INPUT
        own = bias.astype(np.float64) if k == 0 else np.zeros(len(bias))
        weight = ungrouped(one).astype(np.float64)
        if one.kind == "conv":
            nodes[name] = nir.Conv2d(
                input_shape=shapes[one.source][1:],
                weight=weight,
                stride=one.stride,
                padding=one.padding,
                dilation=1,
                groups=1,
                bias=own,
            )
        else:
            nodes[name] = nir.Affine(weight=weight, bias=own)
            if one.source == INPUT or getattr(nodes[source], "v_threshold", getattr(nodes[source], "threshold", own)).ndim > 1:
                flat = f"{name}_flat"
                nodes[flat] = nir.Flatten(input_type={"input": np.array(shapes[one.source])}, start_dim=0, end_dim=-1)
                edges.append((source, flat))
                source = flat
        edges += [(source, name), (name, target)]
        made.append({"source": one.source, "node": name, "groups": one.groups})
    return made


def ungrouped(synapses: Synapses) -> NDArray[np.int32]:
    """The weights of a grouped convolution among all channels, [C_out, C_in, kH, kW]."""
    w = synapses.weight
    if synapses.kind == "dense" or synapses.groups == 1:
        return w
    each, inner = len(w) // synapses.groups, w.shape[1]
    full = np.zeros((len(w), inner * synapses.groups, *w.shape[2:]), w.dtype)
    for g in range(synapses.groups):
        full[g * each : (g + 1) * each, g * inner : (g + 1) * inner] = w[g * each : (g + 1) * each]
    return full
