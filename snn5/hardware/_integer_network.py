"""One network in whole numbers (P5.2, P5.3): what Lava, SpiNNaker and the event engine are each proved against, spike for spike.

A population gets, in every step t, the current A[t] of its synapses, all from this step's spikes (no delays; hardware adds its own, known
ones), and counts its potential in 1/64 of a weight:

    V[t] = clip(rtz(V[t-1] (4096 - d) / 4096) + 64 (A[t] + b),  +-(2^23 - 1))    rtz: towards zero
    S[t] = 1 if V[t] > 64 theta else 0
    V[t] = V[t] (1 - S[t])

which is Loihi's fixed-point LIF without a current of its own (du = 4095). d = 4096 forgets everything (a gate: AND, OR), d = 0 is IF.
The read-out has no neurons: logits[t] = A[t] + b, summed over time by whoever decides.
Source: lava-nc 0.10, `PyLifModelBitAcc`; Davies et al., Loihi, IEEE Micro 2018.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from snn5.errors import NotPortable, UserError

Int = NDArray[np.int64]
ONE = 4096  # of a decay
UNIT = 64  # potential steps in one weight step
V_MAX = 2**23 - 1
INPUT = "input"
Step = Callable[[Int, Int, "Population"], tuple[Int, Int]]


@dataclass(frozen=True, kw_only=True)
class Synapses:
    """All connections from one source to one population.

    Attributes:
        source: a population's name, or `input`.
        kind: `conv`: weight [C_out, C_in / groups, kH, kW]; `dense`: weight [K, C H W], the source flattened in this order.
        weight: whole numbers, int32.
        stride, padding, groups: of a convolution.

    Sources that add up before a layer (residual sums) have synapses that share one array of weights.
    """

    source: str
    kind: Literal["conv", "dense"]
    weight: NDArray[np.int32]
    stride: int = 1
    padding: int = 0
    groups: int = 1

    def current(self, s_NCHW: Int) -> Int:
        """Sum of weight x spike for every neuron, [N, C_out, H_out, W_out] or [N, K]; exact: no sum leaves a float's whole numbers."""
        import torch  # here, since a network that only goes to the event engine needs none
        import torch.nn.functional as F

        largest = int(np.abs(self.weight).reshape(len(self.weight), -1).sum(1, dtype=np.int64).max(initial=0)) * int(s_NCHW.max(initial=1))
        exact = torch.float32 if largest < 2**24 else torch.float64
        s, w = torch.from_numpy(s_NCHW).to(exact), torch.from_numpy(self.weight).to(exact)
        if self.kind == "dense":
            return F.linear(s.flatten(1), w).long().numpy()
        return F.conv2d(s, w, stride=self.stride, padding=self.padding, groups=self.groups).long().numpy()


@dataclass(frozen=True, kw_only=True)
class Population:
    """Neurons that share a decay.

    Attributes:
        name: the module's name in the model. shape: (C, H, W), or (K, 1, 1) behind dense synapses.
        synapses: their currents add. bias: per channel and step, in weight steps, [C].
        threshold: per channel, in weight steps, [C], >= 0; fires above it. decay: d, 0 to 4096.
        once: a neuron fires at most once between two samples (time to first spike): after its spike S stays 0.
    """

    name: str
    shape: tuple[int, int, int]
    synapses: tuple[Synapses, ...]
    bias: Int
    threshold: Int
    decay: int
    once: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.decay <= ONE:
            raise UserError(f"population {self.name}: decay {self.decay}; need 0 to {ONE}")
        if self.bias.shape != self.shape[:1] or self.threshold.shape != self.shape[:1]:
            raise UserError(
                f"population {self.name}: bias {list(self.bias.shape)}, threshold {list(self.threshold.shape)}; need [{self.shape[0]}]"
            )


@dataclass(frozen=True, kw_only=True)
class Readout:
    """Currents of the classes: logits in whole numbers; `scale` times them are the model's. bias [K] as a population's."""

    synapses: tuple[Synapses, ...]
    bias: Int
    scale: float


@dataclass(frozen=True, kw_only=True)
class Trace:
    """What a run did. spikes: uint8 [T, N, C, H, W] by population; logits_TNK: int64; peak: largest |A + b| seen by population."""

    spikes: dict[str, NDArray[np.uint8]]
    logits_TNK: Int
    peak: dict[str, int]


@dataclass(frozen=True, kw_only=True)
class IntegerNetwork:
    """Populations in the order of computing, and a read-out.

    Attributes:
        input_shape: (C, H, W) of the whole numbers that go in. time_steps: T; an input of one step is shown T times.
        cutoff: gap of the summed logits that stops after step t, in whole-number logits, one per step; None: run all T steps.
        exact: every population's weights are whole factors of a quantised model's levels; False: some were rounded.
    """

    populations: tuple[Population, ...]
    readout: Readout
    input_shape: tuple[int, int, int]
    time_steps: int
    cutoff: tuple[int, ...] | None = None
    exact: bool = False

    def run(self, x_TNCHW: Int, *, step: "Step | None" = None) -> Trace:
        """The exact reference. `step`: another neuron, for comparison.

        Raises:
            UserError: the input's shape or number of steps.
            NotPortable: a potential left 24 bits (named).
        """
        x_TNCHW = np.asarray(x_TNCHW, np.int64)
        if x_TNCHW.ndim != 5 or x_TNCHW.shape[2:] != self.input_shape or x_TNCHW.shape[0] not in (1, self.time_steps):
            raise UserError(
                f"input of shape {list(x_TNCHW.shape)}; need [1 or {self.time_steps}, N, {', '.join(map(str, self.input_shape))}]"
            )
        n, advance = x_TNCHW.shape[1], step or loihi_step
        v = {p.name: np.zeros((n, *p.shape), np.int64) for p in self.populations}
        spikes: dict[str, list[NDArray[np.uint8]]] = {p.name: [] for p in self.populations}
        waiting = {p.name: np.ones((n, *p.shape), np.int64) for p in self.populations if p.once}
        peak, logits = {p.name: 0 for p in self.populations}, []
        for t in range(self.time_steps):
            out: dict[str, Int] = {INPUT: x_TNCHW[t % len(x_TNCHW)]}
            for p in self.populations:
                current = _sum(p.synapses, out, p.bias, p.shape)
                peak[p.name] = max(peak[p.name], int(np.abs(current).max(initial=0)))
                v[p.name], out[p.name] = advance(v[p.name], current, p)
                if p.once:
                    out[p.name] = out[p.name] * waiting[p.name]
                    waiting[p.name] = waiting[p.name] - out[p.name]
                spikes[p.name].append(out[p.name].astype(np.uint8))
            k = len(self.readout.bias)
            logits.append(_sum(self.readout.synapses, out, self.readout.bias, (k, 1, 1)).reshape(n, k))
        return Trace(spikes={name: np.stack(s) for name, s in spikes.items()}, logits_TNK=np.stack(logits), peak=peak)


def _sum(synapses: tuple[Synapses, ...], out: dict[str, Int], bias: Int, shape: tuple[int, int, int]) -> Int:
    """A + b, [N, C, H, W]. Sources behind the same synapses are added first, once for all of them."""
    total = np.broadcast_to(bias[:, None, None], shape)[None]
    groups: dict[tuple[int, ...], list[Synapses]] = {}
    for one in synapses:
        groups.setdefault((id(one.weight), one.stride, one.padding, one.groups, *out[one.source].shape), []).append(one)
    for same in groups.values():
        total = total + same[0].current(sum((out[one.source] for one in same[1:]), out[same[0].source])).reshape(-1, *shape)
    return np.asarray(total, np.int64)


def loihi_step(v: Int, current: Int, population: Population) -> tuple[Int, Int]:
    """V[t-1], A[t] + b -> V[t] after the reset, S[t].

    Raises:
        NotPortable: a potential outside 24 bits: weights and thresholds must be scaled down.
    """
    product = v * (ONE - population.decay)
    v = np.sign(product) * (np.abs(product) >> 12) + UNIT * current
    if np.abs(v).max(initial=0) > V_MAX:
        raise NotPortable(f"population {population.name}: potential {int(np.abs(v).max())} leaves 24 bits; use a smaller weight scale")
    s = (v > UNIT * population.threshold[:, None, None]).astype(np.int64)
    return v * (1 - s), s
