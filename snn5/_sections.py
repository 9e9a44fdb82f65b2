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
class Augment:
    """Changed copies of the training recordings, made before they become frames; a copy gets all that is not off."""

    copies: int = setting(0, low=0, high=100)  # of each training recording; 0: off
    window: float = setting(1.0, low=0.1, high=1.0)  # of the sensor's sides: a random window is kept and put somewhere; 1: off
    flip: bool = setting(False)  # left and right change places in half of the copies
    stretch: float = setting(1.0, low=0.1, high=1.0)  # of the length: a random stretch of time is kept; 1: off
    jitter_us: float = setting(0.0, low=0.0, high=1e6)  # standard deviation that is added to every time
    drop: float = setting(0.0, low=0.0, high=0.9)  # share of the events that are left out


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
    augment: Augment = field(default_factory=Augment)
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
    """P3.1: the Optuna study."""

    data: str = setting("frames", among=("frames", "events"))
    trials: int = setting(12, low=2, high=100000)
    max_epochs: int = setting(9, low=2, high=5000)  # the full budget of a trial
    reduction_factor: int = setting(3, low=2, high=10)
    seed: int = setting(5, low=0)


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
class Cutoff:
    """P5.1: leave the time loop as soon as the answer is clear."""

    epsilons: list[float] = field(default_factory=lambda: [0.0, 0.005, 0.01, 0.02, 0.05])
    max_accuracy_loss: float = setting(0.005, low=0.0, high=1.0)  # on validation; the largest epsilon that stays within is chosen

    def __post_init__(self) -> None:
        if not self.epsilons or not all(0 <= e <= 1 for e in self.epsilons) or repeated(self.epsilons):
            raise UserError(f"epsilons={self.epsilons}; need at least one value, each from 0 to 1, all different")


@dataclass(frozen=True, kw_only=True, slots=True)
class Integration:
    """P6: all techniques on one network."""

    data: str = setting("frames", among=("frames", "events"))
    target_ratio: float = setting(0.02, low=0.0, high=1.0)  # goal 2: at most 1/50 of the ANN's energy


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

    def __post_init__(self) -> None:
        if len(self.odds) != 4 or not all(0 <= c <= 1 for c in self.odds):
            raise UserError(f"odds={self.odds}; need four values from 0 to 1: E->E, E->I, I->E, I->I")
        if round(self.delay_ms / self.dt_ms) < 1:
            raise UserError(f"delay_ms={self.delay_ms} is less than one step of dt_ms={self.dt_ms}; raise it to at least dt_ms")
        if not self.seeds or len(set(self.seeds)) != len(self.seeds) or min(self.seeds) < 0:
            raise UserError(f"seeds={self.seeds}; need at least one seed, all different, none negative")
