"""Settings of `p1_fast`: a network for static images in as few minutes as it takes."""

from dataclasses import dataclass, field

from snn5._settings import setting
from snn5._train_section import Train
from snn5.errors import UserError


@dataclass(frozen=True, kw_only=True, slots=True)
class Pace:
    """What the recipe has beyond `Train`: few steps first, a triangular learning rate, flips that take turns.

    `step_plan` lists [epochs, T]; the epochs add up to the training's. `steps` are the T at which the network is tested; validation after
    each epoch takes the first of them.
    """

    step_plan: list[list[int]]
    steps: list[int] = field(default_factory=lambda: [2, 4])
    momentum: float = setting(0.9, low=0.0, high=0.999)
    nesterov: bool = setting(True)
    lr_start: float = setting(0.2, low=0.0, high=1.0)  # of lr, at the first step
    lr_peak: float = setting(0.23, low=0.01, high=0.99)  # share of the steps after which lr is reached
    lr_end: float = setting(0.05, low=0.0, high=1.0)  # of lr, at the last step
    bias_lr_scale: float = setting(1.0, low=0.0, high=1000.0)  # times lr, for the norms' biases
    flip_alternates: bool = setting(True)  # each image is flipped in every other epoch, half of them first
    shift_pixels: int = setting(2, low=0, high=16)  # up to so many either way; what comes in is mirrored at the border
    whiten_images: int = setting(5000, low=1, high=10**7)  # of the training images, for a stem that measures them
    budget_minutes: float = setting(60.0, low=0.0, high=1e5)  # planned, on two cores; recorded beside those it took, ends nothing

    def __post_init__(self) -> None:
        if not self.step_plan or any(len(part) != 2 or min(part) < 1 for part in self.step_plan):
            raise UserError(f"step_plan={self.step_plan}; need [epochs, T] pairs of numbers above 0, e.g. [[12, 1], [5, 2]]")
        if not self.steps or len(set(self.steps)) != len(self.steps) or min(self.steps) < 1:
            raise UserError(f"steps={self.steps}; need at least one T, each above 0, all different")

    @property
    def epochs(self) -> int:
        """Of the whole plan."""
        return sum(epochs for epochs, _ in self.step_plan)

    def steps_of(self, epoch: int) -> int:
        """T in `epoch` (0-based); past the plan's end that of its end."""
        for epochs, steps in self.step_plan:
            if epoch < epochs:
                return steps
            epoch -= epochs
        return self.step_plan[-1][1]


@dataclass(frozen=True, kw_only=True, slots=True)
class Guide:
    """The network's own ReLU twin, trained first: the network starts from its weights, scaled to the threshold, and is pulled towards its
    answers (distillation)."""

    epochs: int = setting(0, low=0, high=100000)  # of the twin; 0: no guide
    lr: float = setting(0.3, low=0.0, high=10.0)  # of the twin
    weight: float = setting(1.0, low=0.001, high=1000.0)  # of the distillation's loss beside the labels' own
    temperature: float = setting(2.0, low=0.1, high=100.0)
    quantile: float = setting(0.95, low=0.01, high=1.0)  # share of the twin's positive activations below the network's threshold


@dataclass(frozen=True, kw_only=True, slots=True)
class Fast:
    """P1: a network for static images in as few minutes as it takes (python -m experiments.cifar10)."""

    train: Train
    pace: Pace
    guide: Guide = field(default_factory=Guide)

    def __post_init__(self) -> None:
        if self.train.epochs != self.pace.epochs:
            raise UserError(f"train.epochs={self.train.epochs}, but pace.step_plan has {self.pace.epochs}; make them equal")
