"""NIR -> IntegerNetwork: what `export` wrote, exactly."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snn5.errors import UserError
from snn5.hardware._integer_network import INPUT, ONE, Int, IntegerNetwork, Population, Readout, Synapses
from snn5.hardware.nir._export import KEY, node_name


def load(path: str | Path) -> IntegerNetwork:
    """The network in a file that `export` wrote.

    Raises:
        UserError: no NIR file; one that others wrote.
    """
    import nir

    try:
        graph = nir.read(str(path))
    except (OSError, KeyError, ValueError, AttributeError) as error:
        raise UserError(f"{path} is no NIR file: {error}") from error
    return from_graph(graph)


def from_graph(graph: Any) -> IntegerNetwork:
    """The network of a graph that `to_graph` made; see `load`."""
    if KEY not in graph.metadata:
        raise UserError("the NIR graph says neither its number of steps nor its read-out's scale; only what snn5 exported can be read back")
    said = graph.metadata[KEY]
    card = json.loads(said.decode() if isinstance(said, bytes) else said)
    populations = [_population(graph.nodes, entry, card["dt_s"]) for entry in card["populations"]]
    synapses = _synapses(graph.nodes, card["readout"]["synapses"])
    return IntegerNetwork(
        populations=tuple(populations),
        readout=Readout(synapses=synapses, bias=_bias(graph.nodes, card["readout"]["synapses"]), scale=card["readout"]["scale"]),
        input_shape=_shape(graph.nodes[INPUT].input_type["input"]),
        time_steps=card["time_steps"],
        cutoff=None if card["cutoff"] is None else tuple(card["cutoff"]),
        exact=card["exact"],
    )


def _population(nodes: dict[str, Any], entry: dict[str, Any], dt_s: float) -> Population:
    node = nodes[node_name(entry["name"])]
    kind = type(node).__name__
    theta = np.asarray(node.threshold if kind == "Threshold" else node.v_threshold)
    decay = {"Threshold": ONE, "IF": 0}.get(kind)
    if decay is None:
        decay = round(ONE * dt_s / float(np.asarray(node.tau).flat[0]))
    return Population(
        name=entry["name"],
        shape=_shape(theta.shape),
        synapses=_synapses(nodes, entry["synapses"]),
        bias=_bias(nodes, entry["synapses"]),
        threshold=np.floor(theta.reshape(len(theta), -1)[:, 0]).astype(np.int64),  # floor: the exporter's next number above
        decay=decay,
    )


def _synapses(nodes: dict[str, Any], entries: list[dict[str, Any]]) -> tuple[Synapses, ...]:
    made = []
    for entry in entries:
        node = nodes[entry["node"]]
        weight = np.asarray(node.weight).astype(np.int32)
        if type(node).__name__ == "Affine":
            made.append(Synapses(source=entry["source"], kind="dense", weight=weight))
        else:
            stride, padding = int(np.ravel(node.stride)[0]), int(np.ravel(node.padding)[0])
            groups = entry["groups"]
            made.append(
                Synapses(
                    source=entry["source"], kind="conv", weight=_grouped(weight, groups), stride=stride, padding=padding, groups=groups
                )
            )
    return tuple(made)


def _bias(nodes: dict[str, Any], entries: list[dict[str, Any]]) -> Int:
    return np.asarray(nodes[entries[0]["node"]].bias).astype(np.int64)


def _shape(shape: Any) -> tuple[int, int, int]:
    c, h, w = [*(int(n) for n in shape), 1, 1][:3]
    return c, h, w


def _grouped(weight: NDArray[np.int32], groups: int) -> NDArray[np.int32]:
    """The blocks on the diagonal, one below another."""
    each, inner = len(weight) // groups, weight.shape[1] // groups
    return np.concatenate([weight[g * each : (g + 1) * each, g * inner : (g + 1) * inner] for g in range(groups)])
