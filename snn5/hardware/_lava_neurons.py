"""Lava's fixed-point LIF with a threshold for every neuron, and a record of its spikes.

Stock `LIFReset` has one threshold per process; in Loihi 2's neuron cores a threshold is a parameter of each neuron's microcode. Here the
model runs Lava's own lines (`PyLifResetModelBitAcc`: decay, rounding, clipping, comparison, reset), its threshold is an array. The record
stands for probes. `once` keeps a neuron silent after its first spike until the next reset. (Lava's decorators let no model that implements
a process be a base of another one, hence methods that are borrowed.)
"""

from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from snn5.hardware._lava_import import lava_importable

with lava_importable():
    from lava.magma.core.decorator import implements, requires, tag
    from lava.magma.core.model.py.model import PyLoihiProcessModel
    from lava.magma.core.model.py.ports import PyInPort, PyOutPort
    from lava.magma.core.model.py.type import LavaPyType
    from lava.magma.core.process.ports.ports import InPort
    from lava.magma.core.process.process import AbstractProcess
    from lava.magma.core.process.variable import Var
    from lava.magma.core.resources import CPU
    from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol
    from lava.proc.lif.models import AbstractPyLifModelFixed, PyLifResetModelBitAcc
    from lava.proc.lif.process import LIFReset
    from lava.proc.sparse.models import AbstractPyDelaySparseModel, PyDelaySparseModelBitAcc
    from lava.proc.sparse.process import DelaySparse


class Neurons(LIFReset):
    """One population.

    Args:
        thresholds, biases: per neuron, in weight steps. decay: d, 0 to 4096.
        reset_interval, reset_offset: see LIFReset. once: at most one spike between two resets.
        steps: after so many the record is written to `file`: Lava would hand over a variable number by number.
    """

    def __init__(
        self,
        *,
        thresholds: np.ndarray,
        biases: np.ndarray,
        decay: int,
        reset_interval: int,
        reset_offset: int,
        once: bool,
        steps: int,
        file: str,
    ) -> None:
        shape = (len(thresholds),)
        super().__init__(
            shape=shape,
            du=4095,
            dv=decay,
            bias_mant=biases,
            bias_exp=6,
            vth=0,
            reset_interval=reset_interval,
            reset_offset=reset_offset,
        )
        self.proc_params["once"], self.proc_params["steps"], self.proc_params["file"] = once, steps, file
        self.vth = Var(shape=shape, init=thresholds)


@implements(proc=Neurons, protocol=LoihiProtocol)
@requires(CPU)
@tag("bit_accurate_loihi", "fixed_pt")
class PyNeurons(AbstractPyLifModelFixed):
    """Lava's arithmetic, an array of thresholds."""

    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=24)
    vth: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=17)

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self.effective_vth = 0
        self.reset_interval = proc_params["reset_interval"]
        self.reset_offset = proc_params["reset_offset"] % self.reset_interval
        self.once, self.waiting = bool(proc_params["once"]), np.array(True)
        self.steps, self.file = proc_params["steps"], proc_params["file"]
        self.raster: list[np.ndarray] = []

    scale_threshold = PyLifResetModelBitAcc.scale_threshold

    def run_spk(self) -> None:
        """Who fired waits for the next reset."""
        if self.time_step % self.reset_interval == self.reset_offset:
            self.waiting = np.ones(self.v.shape, bool)
        PyLifResetModelBitAcc.run_spk(self)
        if self.time_step == self.steps:
            np.save(self.file, np.stack(self.raster, -1))

    def spiking_activation(self) -> np.ndarray:
        """v > vth, written down."""
        spikes = PyLifResetModelBitAcc.spiking_activation(self)
        if self.once:
            spikes = spikes & self.waiting
            self.waiting = self.waiting & ~spikes
        self.raster.append(np.asarray(spikes, np.uint8))
        return np.asarray(spikes)


class Delayed(DelaySparse):
    """Stock DelaySparse."""


@implements(proc=Delayed, protocol=LoihiProtocol)
@requires(CPU)
@tag("bit_accurate_loihi", "fixed_pt")
class PyDelayed(AbstractPyDelaySparseModel):
    """The stock model, which makes the same matrix anew in every step; this one keeps it."""

    s_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, bool, precision=1)
    a_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=16)
    a_buff: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=16)
    weights: Any = LavaPyType(csr_matrix, np.int32, precision=8)
    delays: Any = LavaPyType(csr_matrix, np.int32, precision=6)
    num_message_bits: np.ndarray = LavaPyType(np.ndarray, int, precision=5)

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self.weights_set, self.kept = False, None

    run_spk = PyDelaySparseModelBitAcc.run_spk

    def get_delay_wgts_mat(self, weights: Any, delays: Any, max_delay: int) -> Any:
        """The stock matrix."""
        if self.kept is None:
            self.kept = AbstractPyDelaySparseModel.get_delay_wgts_mat(weights, delays, max_delay).tocsr()
        return self.kept


class Record(AbstractProcess):
    """Writes down the currents that reach it: the read-out. steps, file: as for `Neurons`."""

    def __init__(self, *, classes: int, steps: int, file: str) -> None:
        super().__init__(classes=classes, steps=steps, file=file)
        self.a_in = InPort(shape=(classes,))


@implements(proc=Record, protocol=LoihiProtocol)
@requires(CPU)
@tag("bit_accurate_loihi", "fixed_pt")
class PyRecord(PyLoihiProcessModel):
    """Sums all that is connected."""

    a_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self.steps, self.file = proc_params["steps"], proc_params["file"]
        self.seen: list[np.ndarray] = []

    def run_spk(self) -> None:
        """One step."""
        self.seen.append(np.array(self.a_in.recv()))
        if self.time_step == self.steps:
            np.save(self.file, np.stack(self.seen, -1))
