"""P1.1: SEW-ResNet against the plain spiking ResNet at 20, 56 and 110 layers, trained longer than the default roadmap can.

    python -m experiments.depth

Digits frames (the default profile's split), T = 4, PLIF neurons, 3 seeds, the same recipe and number of epochs for every network.
Interrupt it at will: the same command goes on. Out: experiments/results/depth.json.
"""

from dataclasses import asdict, replace
from pathlib import Path

from experiments._frames import frames_of
from experiments._recorded import Job, recorded, results
from experiments._start import start
from snn5 import config
from snn5.files import write_json
from snn5.statistics import mean_sd

DEPTHS, EPOCHS, BATCH_SIZE, WIDTH, SEEDS = (20, 56, 110), 15, 32, 8, (0, 1, 2)
RESULT = Path("experiments/results/depth.json")


def main() -> None:
    """Train what is missing, then write the table."""
    chosen = config.load()
    settings, data, splits = chosen.p1.frames, chosen.data.frames, frames_of(chosen)
    arguments = {"width": WIDTH, "neuron_args": {"tau": 1.2}}
    starts: dict[str, dict[str, bool]] = {"sew_resnet": {}, "spiking_resnet": {"zero_init": False}}  # as in params.yaml: p1_depth
    recipes = {
        f"{family}{depth}": replace(
            settings,
            model=f"{family}{depth}",
            model_args={**arguments, **start},
            epochs=EPOCHS,
            batch_size=BATCH_SIZE,
            lr=6e-3,
            precision="fp32",
            channels_last=False,
        )
        for depth in DEPTHS
        for family, start in starts.items()
    }
    models = list(recipes)
    table = recorded(RESULT, "networks", {model: asdict(recipe) for model, recipe in recipes.items()})
    missing = [model for model in models if model not in table]
    jobs = {
        f"{model}-seed{seed}": Job(settings=recipes[model], splits=lambda: splits, time_steps=data.time_steps, seed=(seed,), guard=False)
        for seed in SEEDS
        for model in missing
    }
    found = results("depth", jobs)
    for model in missing:
        metrics = [found[f"{model}-seed{seed}"]["metrics"] for seed in SEEDS]
        figures = {}
        for key in sorted(set.intersection(*map(set, metrics))):
            figures[key], figures[f"{key}_sd"] = mean_sd(m[key] for m in metrics)
        table[model] = {"settings": asdict(recipes[model]), "seeds": list(SEEDS), "n": len(splits.test), **figures}
    write_json(RESULT, {"command": "python -m experiments.depth", "networks": table})


if __name__ == "__main__":
    start(main)
