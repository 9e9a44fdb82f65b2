"""The sections of params.yaml on the biological track (P8); snn5.config hands them on."""

import math
from dataclasses import dataclass, field

from snn5._settings import setting
from snn5.errors import UserError


@dataclass(frozen=True, kw_only=True, slots=True)
class Plasticity:
    """P8.1: how a liquid learns without labels before it is frozen; a rate of 0 switches a rule off."""

    epochs: int = setting(1, low=1, high=1000)
    rate_per_ms: float = setting(0.02, low=1e-5, high=1.0)  # target of a neuron, for thresholds
    eta_threshold: float = setting(
        0.01, low=0.0, high=10.0
    )  # intrinsic plasticity, of the threshold's logarithm, per spike above the target
    threshold_range: float = setting(4.0, low=1.0, high=1e6)  # a threshold stays within this factor of its first value, either way
    eta_stdp: float = setting(0.01, low=0.0, high=10.0)  # of E->E, in units of the weights' median
    depression: float = setting(1.2, low=0.0, high=100.0)  # A_- over A_+
    tau_plus_ms: float = setting(20.0, low=0.01, high=10000.0)
    tau_minus_ms: float = setting(20.0, low=0.01, high=10000.0)
    maximum: float = setting(3.0, low=0.01, high=1000.0)  # largest weight, in units of the median; soft for E->E, hard for I->E
    eta_inhibition: float = setting(0.01, low=0.0, high=10.0)  # of I->E
    # Target for inhibition; below the thresholds' target inhibition grows until the walls or the traces stop it, above it fades.
    rate_i_per_ms: float = setting(0.01, low=1e-5, high=1.0)
    tau_i_ms: float = setting(20.0, low=0.01, high=10000.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Liquid:
    """P8.1: the liquid state machine and its ridge read-out."""

    neurons: int = setting(500, low=10, high=100000)
    dt_ms: float = setting(1.0, low=0.01, high=10.0)
    gain: float = setting(0.3, low=0.0, high=10.0)  # scale of the recurrent weights; 0 cuts the recurrence
    bins: int = setting(5, low=1, high=100)  # equal time bins whose spike counts the read-out sees
    trace_ms: float | None = setting(None, low=0.1, high=10000.0)  # low-pass traces of this time constant in place of counts
    seeds: list[int] = field(default_factory=lambda: [0, 1, 2, 3, 4])
    excitatory: float = setting(0.8, low=0.0, high=1.0)  # share of the neurons
    odds: list[float] = field(default_factory=lambda: [0.3, 0.2, 0.4, 0.1])  # C[pre -> post]: E->E, E->I, I->E, I->I
    radius: float = setting(2.0, low=0.1, high=100.0)  # lambda, in grid spacings
    inhibition: float = setting(5.0, low=0.0, high=100.0)  # an inhibitory weight over an excitatory one; 4 balances 80/20
    input_synapses: float = setting(5.0, low=0.1, high=1e6)  # mean number of a neuron's input synapses
    input_radius: float | None = setting(None, low=0.1, high=1000.0)  # pixels: a neuron sees one patch of the sensor; null: pixels anywhere
    drive: float = setting(2.0, low=0.0, high=1000.0)  # mean potential that the input alone would hold a neuron at, in thresholds
    tau_m_ms: float = setting(30.0, low=0.1, high=10000.0)  # median membrane time constant
    tau_m_spread: float = setting(0.4, low=0.0, high=3.0)  # sigma of ln(tau_m)
    tau_s_ms: float = setting(10.0, low=0.1, high=1000.0)  # synaptic current
    tau_a_ms: float = setting(150.0, low=0.1, high=100000.0)  # spike-frequency adaptation
    adaptation: float = setting(0.1, low=0.0, high=100.0)  # rise of the threshold per recent spike
    threshold: float = setting(1.0, low=0.001, high=1000.0)
    refractory_ms: float = setting(2.0, low=0.0, high=1000.0)
    delay_ms: float = setting(2.0, low=0.01, high=1000.0)  # of every recurrent synapse, at least one step
    target: float = setting(0.95, low=0.0, high=1.0)  # least accuracy on the recordings, for the verdict
    plasticity: Plasticity = field(default_factory=Plasticity)

    def __post_init__(self) -> None:
        if len(self.odds) != 4 or not all(0 <= c <= 1 for c in self.odds):
            raise UserError(f"odds={self.odds}; need four values from 0 to 1: E->E, E->I, I->E, I->I")
        if round(self.delay_ms / self.dt_ms) < 1:
            raise UserError(f"delay_ms={self.delay_ms} is less than one step of dt_ms={self.dt_ms}; raise it to at least dt_ms")
        if not self.seeds or len(set(self.seeds)) != len(self.seeds) or min(self.seeds) < 0:
            raise UserError(f"seeds={self.seeds}; need at least one seed, all different, none negative")


@dataclass(frozen=True, kw_only=True, slots=True)
class Local:
    """P8: the classifier that only local rules make: competitive STDP, intrinsic plasticity, neurons named after classes."""

    neurons: int = setting(200, low=2, high=100000)
    time_steps: int = setting(16, low=1, high=1000)  # of a sample, in the regular rate code
    dt_ms: float = setting(1.0, low=0.01, high=100.0)
    epochs: int = setting(10, low=1, high=5000)
    eta: float = setting(0.1, low=0.0, high=1.0)  # of STDP, per spike; falls linearly to nothing, as the next
    eta_threshold: float = setting(0.02, low=0.0, high=10.0)  # of the thresholds' logarithm, per spike above the target
    spikes: float = setting(2.0, low=0.01, high=1000.0)  # that all neurons together should fire per sample
    trace_scale: float = setting(0.03, low=1e-6, high=1e6)  # weight that one sender spike without a gap stands for
    tau_x_ms: float = setting(20.0, low=0.01, high=1e6)  # of the senders' traces
    tau_m_ms: float = setting(20.0, low=0.01, high=1e6)  # of the membranes
    threshold: float = setting(10.0, low=0.001, high=1000.0)  # at first
    seeds: list[int] = field(default_factory=lambda: list(range(10)))
    target: float = setting(0.9, low=0.0, high=1.0)  # least accuracy, for the verdict

    def __post_init__(self) -> None:
        if len(self.seeds) < 2 or len(set(self.seeds)) != len(self.seeds) or min(self.seeds) < 0:
            raise UserError(f"seeds={self.seeds}; need at least two seeds (a spread is reported), all different, none negative")
        if self.spikes > self.neurons * self.time_steps:
            raise UserError(f"spikes={self.spikes} per sample; {self.neurons} neurons fire at most {self.neurons * self.time_steps} times")


@dataclass(frozen=True, kw_only=True, slots=True)
class Dale:
    """P8.2: a layer of excitatory and inhibitory neurons; times in steps of 1 ms."""

    seeds: list[int] = field(default_factory=lambda: [0, 1, 2, 3, 4])
    steps: int = setting(20000, low=100, high=10**8)  # with the first input rate, and as many with twice that
    n_e: int = setting(80, low=2, high=10000)
    n_i: int = setting(20, low=1, high=10000)
    inputs: int = setting(100, low=1, high=100000)
    input_rate_per_ms: float = setting(0.01, low=1e-6, high=0.5)
    density: float = setting(0.2, low=0.001, high=1.0)
    # Thresholds per spike: input->e, input->i, e->e, e->i, i->e, i->i.
    strengths: list[float] = field(default_factory=lambda: [0.25, 0.25, 0.05, 0.15, 0.05, 0.05])
    rate_per_ms: float = setting(0.01, low=1e-6, high=1.0)  # what inhibition holds excitatory neurons at
    inhibitory_eta: float = setting(2e-3, low=0.0, high=1.0)
    inhibitory_max: float = setting(2.0, low=0.001, high=1000.0)
    a_plus: float = setting(1e-3, low=0.0, high=1.0)  # pair STDP, input->e and e->e
    a_minus: float = setting(1.2e-3, low=0.0, high=1.0)
    digit_steps: int = setting(60, low=2, high=10000)  # an image is shown for
    stream_steps: int = setting(20, low=1, high=10000)  # while the network learns, the first of them
    digit_rate: float = setting(0.2, low=0.001, high=1.0)  # spikes per step of a white pixel
    ratio_limit: float = setting(1.15, low=0.0, high=100.0)  # rate after the doubled input over before, with inhibitory STDP: at most
    frozen_ratio: float = setting(1.8, low=0.0, high=100.0)  # without any learning: at least

    def __post_init__(self) -> None:
        if len(self.strengths) != 6 or not all(0 <= s < math.inf for s in self.strengths):
            raise UserError(f"strengths={self.strengths}; need six values, none negative: input->e, input->i, e->e, e->i, i->e, i->i")
        if self.steps % 50:
            raise UserError(f"steps={self.steps}; need a multiple of 50")
        if self.stream_steps > self.digit_steps:
            raise UserError(f"stream_steps={self.stream_steps} exceed digit_steps={self.digit_steps}; lower them")
        if not self.seeds or len(set(self.seeds)) != len(self.seeds) or min(self.seeds) < 0:
            raise UserError(f"seeds={self.seeds}; need at least one seed, all different, none negative")


@dataclass(frozen=True, kw_only=True, slots=True)
class Homeostasis:
    """P8.3: threshold homeostasis against BCM where the gain of all inputs changes; steps of 1 ms."""

    seeds: list[int] = field(default_factory=lambda: [0, 1, 2, 3, 4])
    neurons: int = setting(50, low=1, high=100000)
    inputs: int = setting(40, low=2, high=100000)
    patterns: int = setting(5, low=2, high=1000)
    pattern_steps: int = setting(100, low=1, high=100000)  # each is shown for
    high_per_ms: float = setting(0.15, low=0.0, high=1.0)  # rate of the inputs that a pattern excites
    low_per_ms: float = setting(0.005, low=0.0, high=1.0)  # of the others
    weight: float = setting(0.04, low=1e-6, high=1000.0)  # mean first weight, in first thresholds
    tau_ms: float = setting(20.0, low=0.1, high=10000.0)
    refractory: int = setting(2, low=0, high=1000)
    first_steps: int = setting(100000, low=1000, high=10**8)  # with gain 1
    steps: int = setting(12000, low=1000, high=10**8)  # with each of the gains 4 and 1/4
    window: int = setting(2000, low=100, high=10**6)  # over which a rate is measured
    back_steps: int = setting(4000, low=0, high=10**8)  # after which the rate must be back, within 10 %
    rate_per_ms: float = setting(0.02, low=1e-6, high=1.0)  # what homeostasis holds
    eta: float = setting(0.1, low=0.0, high=10.0)  # of the logarithm of the threshold
    additive_eta: float = setting(1e-3, low=0.0, high=10.0)  # of the threshold, for the additive rule
    bcm_eta: float = setting(0.5, low=0.0, high=1e6)
    bcm_rate_per_ms: float = setting(0.02, low=1e-6, high=1.0)  # y0
    bcm_tau_rate_ms: float = setting(20.0, low=0.1, high=1e6)
    bcm_tau_theta_ms: float = setting(1000.0, low=0.1, high=1e7)
    bcm_max: float = setting(1.0, low=1e-6, high=1e6)  # largest weight
    selectivity: float = setting(0.7, low=0.0, high=1.0)  # least index with BCM, for the verdict

    def __post_init__(self) -> None:
        if self.patterns > self.inputs:
            raise UserError(f"patterns={self.patterns} with {self.inputs} inputs; need at least one input for each pattern")
        if (
            self.window % 100
            or self.first_steps % self.window
            or self.steps % self.window
            or self.back_steps >= min(self.first_steps, self.steps)
        ):
            raise UserError(
                f"window={self.window}, first_steps={self.first_steps}, steps={self.steps}, back_steps={self.back_steps}; "
                "need a window that is a multiple of 100 and divides both lengths, and back_steps below both"
            )
        if not self.seeds or len(set(self.seeds)) != len(self.seeds) or min(self.seeds) < 0:
            raise UserError(f"seeds={self.seeds}; need at least one seed, all different, none negative")
