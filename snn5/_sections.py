"""The sections of params.yaml that know nothing of how networks are trained; snn5.config hands them on."""

import math
from dataclasses import dataclass, field
from typing import Any

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
    standard_errors: float = setting(1.0, low=0.0, high=10.0)  # of that loss over seeds, added to it; P4.2 and P4.3 choose likewise

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
    lost_samples: int = setting(0, low=0, high=100)  # counted as lost beside validation's, which may have lost none by luck
    rule: str = setting("gap", among=("gap", "entropy", "max_probability"))  # the others are swept beside it

    def __post_init__(self) -> None:
        if not self.epsilons or not all(0 <= e <= 1 for e in self.epsilons) or repeated(self.epsilons):
            raise UserError(f"epsilons={self.epsilons}; need at least one value, each from 0 to 1, all different")

    def limits(self) -> dict[str, Any]:
        """What `choose_epsilon` is asked to keep."""
        return {name: getattr(self, name) for name in ("max_accuracy_loss", "standard_errors", "lost_samples")}


@dataclass(frozen=True, kw_only=True, slots=True)
class Spinnaker:
    """P5.3: networks on SpiNNaker, without a board or with one."""

    networks: int = setting(1, low=1, high=1000)  # of the first so many seeds
    n_test: int = setting(200, low=1, high=1000000)  # test samples, the first ones
    n_calibration: int = setting(100, low=1, high=1000000)  # training samples that set the ring buffers' shifts
    n_nir: int = setting(50, low=1, high=1000000)  # of the test samples, for the reader of NIR
    neurons_per_core: int = setting(256, low=1, high=256)
    machine_name: str = setting("")  # address of a real board: the network then runs there, too
    spalloc_server: str = setting("")  # or the URL of a server that lends boards


@dataclass(frozen=True, kw_only=True, slots=True)
class Effort:
    """Epochs of P6's trained steps on one slot."""

    epochs: int = setting(12, low=1, high=5000)  # of the sparse step
    quantised_epochs: int = setting(8, low=1, high=5000)  # and of each ANN rival


@dataclass(frozen=True, kw_only=True, slots=True)
class Integration:
    """P6: all techniques on one network."""

    data: str = setting("frames", among=("frames", "events"))  # the slot that P3 and P4 look at; its network is P3's if clearly better
    frames: Effort = field(default_factory=Effort)
    events: Effort = field(default_factory=Effort)
    lr: float = setting(3e-3, low=1e-7, high=10.0)
    ema_decay: float = setting(0.98, low=0.0, high=0.99999)  # of the running mean of the weights, which is what each step keeps
    teacher_weight: float = setting(1.0, low=1e-6, high=1000.0)  # of the twin's answers in the loss
    temperature: float = setting(2.0, low=0.01, high=100.0)
    most_steps: int = setting(0, low=0, high=1024)  # T of the chain where images stand still and P1 has more; 0: as P1 has it
    teacher_every_step: bool = setting(False)  # whether the answer after each step listens, not the last one only
    teacher_precision: str = setting("fp32", among=("fp32", "bf16", "auto"))  # of the twin's layers while it is listened to
    teacher_channels_last: bool = setting(False)  # their kernels' order in memory; another one rounds otherwise
    prune_method: str = setting("sbc_sequential", among=("sbc", "sbc_sequential", "magnitude"))
    calibration_per_class: int = setting(10, low=1, high=1000)  # samples that pruning sees
    most_strength: float = setting(1.0, low=0.0, high=1000.0)  # of P4's choice: an energy spent on a later exit buys more accuracy
    least_bits: int = setting(4, low=2, high=8)  # of P4's choice: pruned as well, fewer cost accuracy, and operations count the same
    # Sparsity and bits beside P4's choice, tried from the boldest until validation loses at most max_accuracy_gap at the target's energy.
    variants: list[list[float]] = field(default_factory=lambda: [[0.85, 4]])
    target_ratio: float = setting(0.02, low=0.0, high=1.0)  # goal 2: at most 1/50 of the ANN's energy
    max_accuracy_gap: float = setting(0.01, low=0.0, high=1.0)  # below the ANN's accuracy; more is not equal
    standard_errors: float = setting(1.0, low=0.0, high=10.0)  # added to that gap; P3's lead over P1

    def __post_init__(self) -> None:
        for pair in self.variants:
            if len(pair) != 2 or not 0 < pair[0] < 1 or pair[1] not in range(2, 9):
                raise UserError(
                    f"variants={self.variants}; need pairs of a sparsity, above 0 and below 1, and bits, 2 to 8, e.g. [0.75, 4]"
                )


@dataclass(frozen=True, kw_only=True, slots=True)
class Lava:
    """P5.2: networks on Lava's simulation of Loihi 2."""

    samples: int = setting(200, low=1, high=100000)  # test samples that run there
    width: int = setting(128, low=1, high=4096)  # hidden neurons of the dense network that is trained for it
    epochs: int = setting(8, low=1, high=1000)  # of its training, by p1.frames' recipe
