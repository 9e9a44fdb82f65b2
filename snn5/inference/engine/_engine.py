"""The engine: a network that is ready to run, in batches or one frame at a time."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from snn5.errors import NotPortable, UserError
from snn5.inference.engine import _table as k
from snn5.inference.engine._kernel import largest, run
from snn5.inference.engine._layout import lay_out

if TYPE_CHECKING:
    from snn5.hardware import IntegerNetwork

Int = NDArray[np.int64]


class Answer(NamedTuple):
    """What the engine found for each sample.

    Attributes:
        prediction_N: the class of the largest summed logit. step_N: steps that were run, 1..T.
        sum_NK: the summed logits at the exit. logits_TNK: of each step that was run, else 0; both in whole numbers.
        synops_N: weights added, each event times its fan-out. updates_N: neuron updates that were computed. spikes_N: of all populations.
        spikes: by population, uint8 [T, N, C, H, W]; only where asked for.
    """

    prediction_N: Int
    step_N: Int
    sum_NK: Int
    logits_TNK: Int
    synops_N: Int
    updates_N: Int
    spikes_N: Int
    spikes: dict[str, NDArray[np.uint8]]


@dataclass(frozen=True, kw_only=True)
class Decision:
    """Where a stream stands after a step: the step (1..T), its logits and their sum [K], the best class, and whether that is final."""

    step: int
    logits_K: Int
    sum_K: Int
    prediction: int
    final: bool


class Engine:
    """A compiled network. Not for two threads at once: it holds the potentials of what it runs."""

    def __init__(self, network: "IntegerNetwork", *, threads: int = 1) -> None:
        if threads < 1:
            raise UserError(f"threads={threads}; need at least 1")
        self.network, self.program = network, lay_out(network)
        self._states = [self.program.state() for _ in range(threads)]
        self._classes = len(network.readout.bias)
        self._cutoff = np.clip(np.array(network.cutoff or (), dtype=object), -(2**62), 2**62).astype(np.int64)
        if network.cutoff is not None and len(network.cutoff) != network.time_steps:
            raise UserError(f"a cutoff of {len(network.cutoff)} thresholds for {network.time_steps} steps; need one a step")
        self._now = network.time_steps
        self._sums, self._ops = np.zeros((1, self._classes), np.int64), np.zeros((1, 3), np.int64)

    def __call__(self, x_TNCHW: ArrayLike, *, early: bool = True, record: bool = False) -> Answer:
        """Run a batch; a stream that was begun is over then.

        Args:
            x_TNCHW: whole numbers; one step (shown T times, its current computed once) or T steps.
            early: stop each sample as the network's cutoff says, if it has one. record: keep every spike.

        Raises:
            UserError: the input's shape, or a number too large for exact sums.
            NotPortable: a potential left 24 bits.
        """
        net = self.network
        x = self._input(x_TNCHW, (1, net.time_steps))
        self._now = net.time_steps
        steps, n = net.time_steps, x.shape[1]
        logits, sums = np.zeros((steps, n, self._classes), np.int64), np.zeros((n, self._classes), np.int64)
        exits, ops = np.zeros(n, np.int64), np.zeros((n, 3), np.int64)
        spikes = np.zeros((steps, n, self.program.sizes["record"]) if record else (0, 0, 0), np.uint8)
        cutoff = self._cutoff if early else self._cutoff[:0]
        held = len(x) == 1

        tables = self.program.tables

        def work(worker: int, start: int, stop: int) -> int:
            return int(run(tables, self._states[worker], x, (start, stop), (0, steps), held, cutoff, logits, sums, exits, ops, spikes))

        self._check(_share(work, n, len(self._states)))
        return Answer(
            prediction_N=sums.argmax(1),
            step_N=exits,
            sum_NK=sums,
            logits_TNK=logits,
            synops_N=ops[:, k.SYNOPS],
            updates_N=ops[:, k.UPDATES],
            spikes_N=ops[:, k.SPIKES],
            spikes={name: _cut(spikes, at, shape) for name, (at, shape) in self.program.recorded.items()} if record else {},
        )

    def start(self) -> None:
        """Begin a stream: the next push is its first step."""
        self._now = 0
        self._sums[:], self._ops[:] = 0, 0

    def push(self, step: ArrayLike | tuple[ArrayLike, ArrayLike, ArrayLike]) -> Decision:
        """One more step of the stream.

        Args:
            step: a frame [C, H, W] of whole numbers; or a packet of events (channel, y, x), each a list, which are counted into one.

        Raises:
            UserError: no stream was begun, or it is over; an event off the sensor; else as for a batch.
        """
        if self._now >= self.network.time_steps:
            raise UserError(f"the stream is over: {self.network.time_steps} steps, or an early exit; call start() for the next")
        frame = self._count(*step) if isinstance(step, tuple) else np.asarray(step)
        x, t = self._input(frame[None, None], (1,)), self._now
        logits, exits = np.zeros((1, 1, self._classes), np.int64), np.zeros(1, np.int64)
        tables, none = self.program.tables, np.zeros((0, 0, 0), np.uint8)
        self._now = self.network.time_steps  # should a potential leave its range
        self._check(
            run(tables, self._states[0], x, (0, 1), (t, t + 1), False, self._cutoff[:0], logits, self._sums, exits, self._ops, none)
        )
        best = np.sort(self._sums[0])
        final = t + 1 == self.network.time_steps or (len(self._cutoff) > 0 and bool(best[-1] - best[-2] > self._cutoff[t]))
        self._now = self.network.time_steps if final else t + 1
        return Decision(step=t + 1, logits_K=logits[0, 0], sum_K=self._sums[0].copy(), prediction=int(self._sums[0].argmax()), final=final)

    def _count(self, channel: ArrayLike, y: ArrayLike, x: ArrayLike) -> Int:
        index = tuple(np.asarray(axis, np.int64) for axis in (channel, y, x))
        for name, axis, size in zip(("channel", "y", "x"), index, self.network.input_shape, strict=True):
            if axis.size and not 0 <= axis.min() <= axis.max() < size:
                raise UserError(f"an event with {name} {axis.min() if axis.min() < 0 else axis.max()}; need 0 to {size - 1}")
        frame = np.zeros(self.network.input_shape, np.int64)
        np.add.at(frame, index, 1)
        return frame

    def _input(self, given: ArrayLike, steps: tuple[int, ...]) -> NDArray[np.int32]:
        """As the loop reads it.

        Raises:
            UserError: shape, type or size.
        """
        x, wanted = np.asarray(given), self.network.input_shape
        if x.ndim != 5 or x.shape[2:] != wanted or x.shape[0] not in steps:
            raise UserError(f"input of shape {list(x.shape)}; need [{' or '.join(map(str, steps))}, N, {', '.join(map(str, wanted))}]")
        if x.dtype.kind not in "iub":
            raise UserError(f"input of type {x.dtype}; the engine takes whole numbers")
        limit = self.program.input_limit
        ready = np.ascontiguousarray(x, np.int32)
        if x.size and (largest(ready) if x.dtype == np.int32 else max(abs(int(x.min())), abs(int(x.max())))) > limit:
            raise UserError(f"input from {x.min()} to {x.max()}; beyond {limit} a sum could leave 32 bits")
        return ready

    def _check(self, row: int) -> None:
        if row != k.FINISHED:
            raise NotPortable(f"population {self.program.names[row]}: a potential leaves 24 bits; use a smaller weight scale")


def _share(work: Callable[[int, int, int], int], n: int, workers: int) -> int:
    """Equal parts of the samples to each worker; the first failure, or FINISHED."""
    if workers == 1 or n < 2:
        return work(0, 0, n)
    bounds = [n * i // workers for i in range(workers + 1)]
    with ThreadPoolExecutor(workers) as pool:
        found: list[int] = list(pool.map(work, range(workers), bounds[:-1], bounds[1:]))
    return next((row for row in found if row != k.FINISHED), k.FINISHED)


def _cut(spikes: NDArray[np.uint8], at: int, shape: tuple[int, int, int]) -> NDArray[Any]:
    size = shape[0] * shape[1] * shape[2]
    return spikes[:, :, at : at + size].reshape(*spikes.shape[:2], *shape)
