"""How a network is trained: the settings that every recipe in params.yaml has; snn5.config hands them on."""

from dataclasses import dataclass, field
from typing import Any

from snn5._settings import setting
from snn5.errors import UserError


@dataclass(frozen=True, kw_only=True, slots=True)
class Train:
    """How one network is trained."""

    model: str
    neuron: str = setting("plif")
    model_args: dict[str, Any] = field(default_factory=dict)  # overrides of the architecture, e.g. {width: 8}
    epochs: int = setting(low=1, high=5000)
    batch_size: int = setting(64, low=2, high=65536)  # batch norm needs two samples
    optimizer: str = setting("adamw", among=("adamw", "sgd"))
    lr: float = setting(2e-3, low=1e-7, high=10.0)
    neuron_lr_scale: float = setting(1.0, low=0.0, high=1000.0)  # times lr, for what neurons learn (PLIF's w)
    weight_decay: float = setting(1e-2, low=0.0, high=1.0)
    warmup_epochs: int = setting(1, low=0, high=1000)
    loss: str = setting("tet", among=("tet", "rate"))
    tet_lambda: float = setting(0.05, low=0.0, high=1.0)  # weight of TET's mean-squared pull towards the threshold
    label_smoothing: float = setting(0.0, low=0.0, high=0.5)
    # Augmentation, each sample by a draw of its own and all its steps alike; of these, shifts alone keep a digit a digit.
    shift_pixels: int = setting(1, low=0, high=16)  # up to so many either way
    flip: bool = setting(False)  # left and right change places in half of the samples
    rotate_degrees: float = setting(0.0, low=0.0, high=180.0)  # up to so many either way
    zoom: float = setting(0.0, low=0.0, high=0.9)  # enlarged by 1 - zoom to 1 + zoom
    shear_degrees: float = setting(0.0, low=0.0, high=60.0)  # slanted by up to so many either way
    elastic_pixels: float = setting(0.0, low=0.0, high=16.0)  # bent by a smooth random field with so many pixels' standard deviation
    cutout: int = setting(0, low=0, high=256)  # side of a square that is set to zero, in pixels
    mixup: float = setting(0.0, low=0.0, high=100.0)  # a of Beta(a, a); 0: off
    cutmix: float = setting(0.0, low=0.0, high=100.0)  # likewise; with both, each batch gets one of them
    mix_probability: float = setting(1.0, low=0.0, high=1.0)  # share of the batches that are mixed
    # The rest stays off at these values.
    ema_decay: float = setting(0.0, low=0.0, high=0.99999)  # of a running mean of the weights, which is then validated, tested and kept
    clip_norm: float = setting(0.0, low=0.0, high=1e6)  # largest norm of a step's gradient
    precision: str = setting("fp32", among=("fp32", "bf16", "auto"))  # of the layers; auto: bf16 where the device has it
    channels_last: bool = setting(False)  # kernels' order in memory
    guard_epochs: int = setting(3, low=0, high=5000)  # a layer silent or saturated in so many epochs running ends it; 0: judged at the end

    def __post_init__(self) -> None:
        if self.warmup_epochs >= self.epochs:
            raise UserError(f"warmup_epochs={self.warmup_epochs} needs more epochs than epochs={self.epochs}; lower it")
