"""What p6_integrate takes from the stages before it, each resolved to the run that made it."""

from dataclasses import dataclass
from math import hypot, sqrt

from snn5.files import read_json
from snn5.stages._chain import Choices
from snn5.stages._stage import Stage
from snn5.tracking import Ingredient


@dataclass(frozen=True, kw_only=True)
class Ingredients:
    """Networks by seed, and what P4 chose.

    Attributes:
        begun: the spiking networks to begin with. start: the stage that made them. twins: their ReLU twins. choices: see there.
    """

    begun: dict[int, Ingredient]
    start: str
    twins: dict[int, Ingredient]
    choices: Choices


def ingredients(stage: Stage, slot: str, *, ramp_fraction: float) -> Ingredients:
    """P4's choices, the penalty's strength held to p6.most_strength and the bits to p6.least_bits; and where to begin.

    Begin with P3's networks if they are on this slot and clearly more accurate on validation than P1's; else with P1's.

        mean_s(tuned) - mean_s(trained) > standard_errors sqrt((sd_s(tuned)^2 + sd_s(trained)^2) / S)

    A search over a few hundred validation samples finds points that were lucky there; the mean over S seeds trained anew tells. It looks at
    accuracy alone: what it finds may fire more, so that it has to be better.
    """
    strength, sparsity, bits = (
        read_json(stage.ingredient(f"data/{name}/metrics.json").file)["summary"][f"chosen_{key}"]
        for name, key in (("p4_sparsify", "strength"), ("p4_prune", "sparsity"), ("p4_quantize", "bits"))
    )
    strength = min(strength, stage.config.p6.most_strength)
    chosen = (sparsity, max(int(bits), stage.config.p6.least_bits))
    variants = sorted({chosen, *((share, int(width)) for share, width in stage.config.p6.variants)}, key=lambda v: (-v[0], v[1]))
    trained, tuned = (
        read_json(stage.ingredient(path).file)["summary"]
        for path in (f"data/p1_train/sew_resnet-{slot}/metrics.json", "data/p3_tune/metrics.json")
    )
    error = hypot(tuned["val/acc_sd"], trained["val/acc_sd"]) / sqrt(len(stage.config.seeds))
    better = tuned["val/acc"] - trained["val/acc"] > stage.config.p6.standard_errors * error
    start = "p3_tune" if slot == stage.config.p6.data and better else "p1_train"
    folder = "data/p3_tune/checkpoints" if start == "p3_tune" else f"data/p1_train/sew_resnet-{slot}/checkpoints"
    return Ingredients(
        begun={seed: stage.ingredient(f"{folder}/seed{seed}.safetensors") for seed in stage.config.seeds},
        start=start,
        twins={seed: stage.ingredient(f"data/p1_train/ann_twin-{slot}/checkpoints/seed{seed}.safetensors") for seed in stage.config.seeds},
        choices=Choices(strength=strength, ramp_fraction=ramp_fraction, variants=variants),
    )
