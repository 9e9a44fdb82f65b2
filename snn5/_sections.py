"""The sections of params.yaml that know nothing of how networks are trained; snn5.config hands them on."""

import math
from dataclasses import dataclass, field

from snn5._settings import setting
from snn5.errors import UserError


def repeated(values: list[float]) -> bool:
    """Whether two of `values` would give their runs one name: records write them with six digits (:g)."""
    return len({f"{value:g}" for value in values}) != len(values)


@dataclass(frozen=True, kw_only=True, slots=True)
class Camera:
    """The simulated event camera that looks at the images (see snn5.datasets)."""

    sensor: int = setting(16, low=8, high=128)  # pixels along one side
    contrast: float = setting(0.2, low=0.01, high=2.0)  # threshold on log intensity
    saccade_ms: float = setting(100.0, low=1.0, high=1000.0)  # duration of each of the three saccades
    amplitude: float = setting(2.0, low=0.1, high=32.0)  # excursion of a saccade, in sensor pixels
    dark: float = setting(0.2, low=0.001, high=1.0)  # what the sensor sees of black, as a fraction of white


@dataclass(frozen=True, kw_only=True, slots=True)
class Binning:
    """How recorded events become T frames of counts (see snn5.datasets.frames_from_events)."""

    by: str = setting("time", among=("time", "count"))  # slices of equal length, or of an equal number of events
    size: int = setting(0, low=0)  # microseconds or events in each; 0 divides every recording in T, whatever its length
    pixels: int = setting(1, low=1, high=64)  # so many pixels each way (or channels of a sound) are counted as one
    columns: int = setting(0, low=0, high=1000)  # of a sound: each of the T steps holds so many slices side by side; 0: as it has rows


@dataclass(frozen=True, kw_only=True, slots=True)
class Folder:
    """Your own recordings, images or sounds: the sets event_folder, image_folder and audio_folder."""

    path: str = setting("")  # of the folder [train|val|test/]<class>/<file>; relative to SNN5_DATA_ROOT, or absolute
    size: list[int] = field(default_factory=list)  # [H, W]: of the event sensor where files do not state it; images are scaled to it
    color: bool = setting(True)  # images: red, green, blue; false: grey

    def __post_init__(self) -> None:
        if len(self.size) not in (0, 2) or not all(1 <= side <= 4096 for side in self.size):
            raise UserError(f"size={self.size}; need [height, width] in pixels, each from 1 to 4096, or [] to take it from the files")


@dataclass(frozen=True, kw_only=True, slots=True)
class Cochlea:
    """The encoder that turns sound into spikes (see snn5.datasets.cochlea)."""

    channels: int = setting(64, low=2, high=700)
    low_hz: float = setting(80.0, low=20.0, high=20000.0)  # centre of the lowest channel
    high_hz: float = setting(7000.0, low=20.0, high=20000.0)  # and of the highest
    duration_ms: float = setting(1000.0, low=10.0, high=60000.0)  # what of a recording is looked at, from its start
    gain: float = setting(400.0, low=0.001, high=1e6)  # thresholds per second, of a channel at the recording's loudest
    floor_db: float = setting(50.0, low=1.0, high=120.0)  # so far below the loudest lies silence

    def __post_init__(self) -> None:
        if self.low_hz >= self.high_hz:
            raise UserError(f"low_hz={self.low_hz} must lie below high_hz={self.high_hz}; change one of them")


@dataclass(frozen=True, kw_only=True, slots=True)
class Data:
    """One data set as the stages see it."""

    dataset: str
    time_steps: int = setting(low=1, high=1000)  # T, simulation steps of the network
    val_fraction: float = setting(0.15, low=0.01, high=0.5)  # carved from train
    test_fraction: float = setting(0.25, low=0.01, high=0.5)  # only where the set has no official split
    split_seed: int = setting(5, low=0)
    on_error: str = setting("stop", among=("stop", "skip"))  # at an empty or damaged recording; skipped ones are named and counted
    camera: Camera = field(default_factory=Camera)
    binning: Binning = field(default_factory=Binning)
    folder: Folder = field(default_factory=Folder)
    cochlea: Cochlea = field(default_factory=Cochlea)

    def __post_init__(self) -> None:
        if self.val_fraction + self.test_fraction > 0.8:
            raise UserError(
                f"val_fraction={self.val_fraction} and test_fraction={self.test_fraction} leave less than 20 % to train; lower one of them"
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class Datasets:
    """The two slots that every phase reads: static frames and events."""

    frames: Data
    events: Data


@dataclass(frozen=True, kw_only=True, slots=True)
class Coding:
    """P2.3: time-to-first-spike against rate coding, at equal T, topology and training."""

    time_steps: int = setting(16, low=2, high=1024)  # T; a TTFS layer has a window of T steps
    hidden: int = setting(128, low=1, high=65536)
    layers: int = setting(2, low=1, high=16)  # hidden layers
    epochs: int = setting(15, low=1, high=5000)
    batch_size: int = setting(64, low=2, high=65536)
    lr: float = setting(8e-3, low=1e-7, high=10.0)
    label_smoothing: float = setting(0.1, low=0.0, high=0.5)
    # A TTFS window holds this quantile of its layer's activations; validation chooses.
    quantiles: list[float] = field(default_factory=lambda: [1.0, 0.999, 0.99, 0.97])
    max_accuracy_loss: float = setting(0.01, low=0.0, high=1.0)  # of TTFS against rate, on test, for the verdict
    max_synops: float = setting(0.5, low=0.0, high=10.0)  # of TTFS, as a share of rate's, for the verdict
    seeds: list[int] = field(default_factory=lambda: list(range(10)))

    def __post_init__(self) -> None:
        if not self.quantiles or not all(0 < q <= 1 for q in self.quantiles):
            raise UserError(f"quantiles={self.quantiles}; need at least one value, each above 0 up to 1")
        if len(self.seeds) < 2 or len(set(self.seeds)) != len(self.seeds) or min(self.seeds) < 0:
            raise UserError(f"seeds={self.seeds}; need at least two seeds (a spread is reported), all different, none negative")


@dataclass(frozen=True, kw_only=True, slots=True)
class Tuning:
    """P3.1: the Optuna studies."""

    data: str = setting("frames", among=("frames", "events"))
    trials: int = setting(12, low=2, high=100000)
    max_epochs: int = setting(9, low=2, high=5000)  # the full budget of a trial
    reduction_factor: int = setting(3, low=2, high=10)
    seed: int = setting(5, low=0)
    tradeoff_trials: int = setting(12, low=2, high=100000)  # of the study of accuracy and operations, none of them pruned
    tradeoff_epochs: int = setting(6, low=2, high=5000)
    workers: int = setting(1, low=1, high=1024)  # processes per study; above 1 its trials differ from run to run


@dataclass(frozen=True, kw_only=True, slots=True)
class Sparsity:
    """P4.1: activity regularisation, swept over its strength."""

    strengths: list[float]
    epochs: int = setting(low=1, high=5000)
    lr: float = setting(1e-3, low=1e-7, high=10.0)
    ramp_fraction: float = setting(0.2, low=0.0, high=1.0)
    max_accuracy_loss: float = setting(0.01, low=0.0, high=1.0)  # on validation; the strongest that stays within is chosen

    def __post_init__(self) -> None:
        if (
            not self.strengths
            or not all(0 <= s < math.inf for s in self.strengths)
            or sorted(self.strengths) != list(self.strengths)
            or repeated(self.strengths)
        ):
            raise UserError(f"strengths={self.strengths}; need at least one value, none negative, in rising order, none twice")


@dataclass(frozen=True, kw_only=True, slots=True)
class Quantisation:
    """P4.2: quantisation-aware training, at several widths of the weights."""

    bits: list[int]  # of all weights but the first and the last layer's, 2 to 8
    epochs: int = setting(4, low=1, high=5000)
    lr: float = setting(4e-3, low=1e-7, high=10.0)
    grid: str = setting("symmetric", among=("symmetric", "signed"))  # 2 bits: -1, 0, 1 or -2 .. 1
    scale: str = setting("channel", among=("channel", "tensor"))  # a step for each output channel, or one for the layer
    edge_bits: int = setting(8, low=2, high=8)  # of the first and the last layer
    energy_weight: float = setting(0.0, low=0.0, high=1e6)  # of the synaptic operations in the loss, as p4.strengths
    shared_bits: list[int] = field(default_factory=list)  # widths trained with an integer membrane on the weights' step, too
    membrane_bits: int = setting(16, low=2, high=16)  # of those potentials

    def __post_init__(self) -> None:
        for name, widths in (("bits", self.bits), ("shared_bits", self.shared_bits)):
            if (name == "bits" and not widths) or not all(2 <= b <= 8 for b in widths) or len(set(widths)) < len(widths):
                raise UserError(f"{name}={widths}; need at least one width, each from 2 to 8, all different (shared_bits may be empty)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Pruning:
    """P4.3: one-shot pruning; the largest sparsity that stays within p4.max_accuracy_loss on validation is chosen."""

    sparsities: list[float] = field(default_factory=lambda: [0.75, 0.85, 0.9])  # shares of zero weights
    samples_per_class: int = setting(10, low=1, high=100000)  # training samples that calibrate it

    def __post_init__(self) -> None:
        if not self.sparsities or not all(0 < s < 1 for s in self.sparsities) or repeated(self.sparsities):
            raise UserError(f"sparsities={self.sparsities}; need at least one value, each above 0 and below 1, all different")


@dataclass(frozen=True, kw_only=True, slots=True)
class Cutoff:
    """P5.1: leave the time loop as soon as the answer is clear."""

    epsilons: list[float] = field(default_factory=lambda: [0.0, 0.005, 0.01, 0.02, 0.05])
    max_accuracy_loss: float = setting(0.005, low=0.0, high=1.0)  # on validation; the largest epsilon that stays within is chosen
    standard_errors: float = setting(1.0, low=0.0, high=10.0)  # of that loss, added to it: a small set hides half a point
    rule: str = setting("gap", among=("gap", "entropy", "max_probability"))  # the others are swept beside it

    def __post_init__(self) -> None:
        if not self.epsilons or not all(0 <= e <= 1 for e in self.epsilons) or repeated(self.epsilons):
            raise UserError(f"epsilons={self.epsilons}; need at least one value, each from 0 to 1, all different")


@dataclass(frozen=True, kw_only=True, slots=True)
class Effort:
    """Epochs of P6's trained steps on one slot."""

    epochs: int = setting(12, low=1, high=5000)  # of the sparse step, and of each ANN rival
    quantised_epochs: int = setting(8, low=1, high=5000)


@dataclass(frozen=True, kw_only=True, slots=True)
class Integration:
    """P6: all techniques on one network."""

    data: str = setting("frames", among=("frames", "events"))  # the slot that P3 and P4 look at; its network is P3's, the other's P1's
    frames: Effort = field(default_factory=Effort)
    events: Effort = field(default_factory=Effort)
    lr: float = setting(3e-3, low=1e-7, high=10.0)
    ema_decay: float = setting(0.98, low=0.0, high=0.99999)  # of the running mean of the weights, which is what each step keeps
    teacher_weight: float = setting(1.0, low=1e-6, high=1000.0)  # of the twin's answers in the loss
    temperature: float = setting(2.0, low=0.01, high=100.0)
    calibration_per_class: int = setting(10, low=1, high=1000)  # samples that pruning sees
    target_ratio: float = setting(0.02, low=0.0, high=1.0)  # goal 2: at most 1/50 of the ANN's energy
    max_accuracy_gap: float = setting(0.01, low=0.0, high=1.0)  # below the ANN's accuracy; more is not equal


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
        if self.window % 100 or self.first_steps % self.window or self.steps % self.window or self.back_steps >= self.steps:
            raise UserError(
                f"window={self.window}, first_steps={self.first_steps}, steps={self.steps}, back_steps={self.back_steps}; "
                "need a window that is a multiple of 100 and divides both lengths, and back_steps below steps"
            )
        if not self.seeds or len(set(self.seeds)) != len(self.seeds) or min(self.seeds) < 0:
            raise UserError(f"seeds={self.seeds}; need at least one seed, all different, none negative")
