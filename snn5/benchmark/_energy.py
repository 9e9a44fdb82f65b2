"""Energy from operation counts: arithmetic alone, as papers do it, and with the memory traffic, which dominates.

All figures are for a 45 nm process at 0.9 V: Horowitz, Computing's Energy Problem, ISSCC 2014. They are a convention for comparing
networks, not a prediction for a chip.

Arithmetic:   E = e_mac MACs + e_ac ACs

With memory (after Lemaire et al., arXiv 2210.13107), per layer; every operand is fetched each time it is used, for SNN and ANN alike. A
chip that reuses operands, as accelerators of dense ANNs do, needs less:

    weights      one read per operation, MAC or AC
    activations  one read per MAC and one write per output (float layers; the sum stays in a register)
    potentials   one read and one write per AC (event-driven scatter), and one of each per neuron update
    spikes       one write and one read of an address per non-zero input of a spike layer
    updates      one FP32 multiply-accumulate per neuron update (the leak)

A product of two activations has no weights: what it fetches in their place is the other factor, 1 bit of a spike, STATE_BITS of a sum of
spikes, the activations' width of a real number. It calculates at the activations' width.

An access of b bits to a memory of s bytes costs e(s) b/64; e(s) is the price of a 64 bit word in the smallest memory that holds s bytes.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from snn5.benchmark._counters import LayerOperations, Operations
from snn5.errors import UserError


@dataclass(frozen=True, kw_only=True)
class Arithmetic:
    """Picojoules for a multiplication with addition, and for an addition."""

    mac_pj: float
    ac_pj: float

    def energy_pj(self, *, macs: float, acs: float) -> float:
        """e_mac MACs + e_ac ACs."""
        return self.mac_pj * macs + self.ac_pj * acs


FP32 = Arithmetic(mac_pj=3.7 + 0.9, ac_pj=0.9)
FP16 = Arithmetic(mac_pj=1.1 + 0.4, ac_pj=0.4)
INT32 = Arithmetic(mac_pj=3.1 + 0.1, ac_pj=0.1)
INT8 = Arithmetic(mac_pj=0.2 + 0.03, ac_pj=0.03)


def integer(weight_bits: int, activation_bits: int = 8) -> Arithmetic:
    """INT8 scaled to other widths: a multiplier's area goes with the product of its widths, an adder's with the weight's.

        e_mac = 0.2 (b_w b_a / 64) + 0.03 b_w / 8,   e_ac = 0.03 b_w / 8   [pJ]

    Raises:
        UserError: a width outside 1..32 bits.
    """
    for name, bits in {"weight_bits": weight_bits, "activation_bits": activation_bits}.items():
        if not 1 <= bits <= 32:
            raise UserError(f"{name}={bits}; need 1 to 32 bits")
    add_pj = 0.03 * weight_bits / 8
    return Arithmetic(mac_pj=0.2 * weight_bits * activation_bits / 64 + add_pj, ac_pj=add_pj)


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Price of a 64 bit word by size of the memory.

    Attributes:
        sram: (bytes, pJ) in rising order. dram_pj: for what no SRAM holds (the lower end of 1300 to 2600).
    """

    sram: tuple[tuple[int, float], ...] = ((8 * 1024, 10.0), (32 * 1024, 20.0), (1024 * 1024, 100.0))
    dram_pj: float = 1300.0

    def access_pj(self, *, bits: float, size_bytes: float) -> float:
        """One access of `bits` to a memory of `size_bytes`."""
        word_pj = next((pj for limit, pj in self.sram if size_bytes <= limit), self.dram_pj)
        return word_pj * bits / 64


SPIKE_BITS, STATE_BITS = 16, 32  # an address event; a membrane potential or a partial sum


@dataclass(frozen=True, kw_only=True)
class EnergyModel:
    """Turns counts into picojoules per sample.

    Attributes:
        weight_bits: stored width of each layer's weights, by layer name; layers that it lacks have 32.
        activation_bits: width of what float layers exchange.
        memory: price of memory accesses.
    """

    weight_bits: Mapping[str, int]
    activation_bits: int = 32
    memory: Memory = Memory()

    def fp32_pj(self, operations: Operations, *, dense: bool = False) -> float:
        """Arithmetic in FP32; `dense` prices every product as a MAC, as an accelerator without zero skipping would."""
        if dense:
            return FP32.energy_pj(macs=operations.total("dense"), acs=0.0)
        return FP32.energy_pj(macs=operations.total("macs"), acs=operations.total("acs"))

    def int_pj(self, operations: Operations, *, dense: bool = False) -> float:
        """Integer arithmetic; a width above 8 bits is priced as 8: the same network if it were quantised."""
        return sum(
            integer(min(8, self._bits(name, layer)), min(8, self.activation_bits)).energy_pj(
                macs=layer.dense if dense else layer.macs, acs=0.0 if dense else layer.acs
            )
            for name, layer in operations.layers.items()
        )

    def memory_pj(self, operations: Operations, *, dense: bool = False) -> float:
        """Arithmetic (FP32 for 32 bit weights, else integer), neuron updates and memory traffic."""
        energy = 0.0
        for name, layer in operations.layers.items():
            bits = self._bits(name, layer)
            macs, acs = (layer.dense, 0.0) if dense else (layer.macs, layer.acs)
            arithmetic = FP32 if bits > 8 else integer(bits, min(8, self.activation_bits))
            energy += arithmetic.energy_pj(macs=macs, acs=acs) + self._traffic_pj(layer, bits, macs, acs)
        for neuron in operations.neurons.values():
            access_pj = self.memory.access_pj(bits=STATE_BITS, size_bytes=neuron.neurons * STATE_BITS / 8)
            energy += neuron.updates * (FP32.mac_pj + 2 * access_pj)
        return energy

    def _bits(self, name: str, layer: LayerOperations) -> int:
        return self.weight_bits.get(name, 32) if layer.weights else self.activation_bits

    def _operand_pj(self, layer: LayerOperations, bits: int, acs: float) -> float:
        """Price of fetching what an input is multiplied with (a weight of `bits`, or the other factor)."""
        if layer.weights:
            return self.memory.access_pj(bits=bits, size_bytes=layer.weights * bits / 8)
        width = bits if acs == 0 else 1 if layer.kind == "binary" else STATE_BITS
        return self.memory.access_pj(bits=width, size_bytes=layer.input_size * width / 8)

    def _traffic_pj(self, layer: LayerOperations, bits: int, macs: float, acs: float) -> float:
        memory, a_bits = self.memory, self.activation_bits
        energy = (macs + acs) * self._operand_pj(layer, bits, acs)
        if acs > 0 or (macs == 0 and layer.kind != "float"):  # a silent spike layer moves nothing
            energy += 2 * acs * memory.access_pj(bits=STATE_BITS, size_bytes=layer.output_size * STATE_BITS / 8)
            return energy + 2 * layer.inputs_nonzero * memory.access_pj(bits=SPIKE_BITS, size_bytes=layer.input_size * SPIKE_BITS / 8)
        energy += macs * memory.access_pj(bits=a_bits, size_bytes=layer.input_size * a_bits / 8)
        return energy + layer.outputs * memory.access_pj(bits=a_bits, size_bytes=layer.output_size * a_bits / 8)
