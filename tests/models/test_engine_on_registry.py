"""Every registered model, made small: what has a form in whole numbers is exact on the event-driven engine, the rest is refused by name."""

import numpy as np
import pytest
import torch
from small_models import Case, alive, every_case

from snn5.errors import NotPortable
from snn5.hardware import port
from snn5.inference import engine

SAMPLES, SCALE = 6, 2.0
# Families that some part keeps off the chips, and a word of what is said about it.
REFUSED = {
    "spikingformer": "multiplies two activations as matrices",
    "dta": "depends on later",
    "staa": "threshold follows",
    "glif_resnet": "GLIF",
    "hsvt": "LayerNorm",
    "spiking_ssm": r"StateSpace .* have no integer form",
    "spiking_tcn": "its forward asks for the length of an activation",
}


@every_case
def test_the_engine_is_exact_or_the_model_is_refused(case: Case) -> None:
    """Every spike of every layer and every logit, on one thread and on two."""
    draw = torch.Generator().manual_seed(4)
    model = case.make()
    side = case.small.image
    x_TNCHW = torch.randint(0, 5, (model.time_steps, SAMPLES, model.in_channels, side, side), generator=draw)
    model = alive(model, x_TNCHW / SCALE)
    if case.small.family in REFUSED:
        with pytest.raises(NotPortable, match=REFUSED[case.small.family]):
            port(model, (model.in_channels, side, side), model.time_steps, divisor=SCALE)
        return
    network = port(model, (model.in_channels, side, side), model.time_steps, divisor=SCALE)
    x = x_TNCHW.numpy().astype(np.int64)
    wanted = network.run(x)
    for threads in (1, 2):
        found = engine.compile(network, threads=threads)(x, early=False, record=True)
        assert np.array_equal(found.logits_TNK, wanted.logits_TNK)
        assert all(np.array_equal(found.spikes[name], spikes) for name, spikes in wanted.spikes.items())
    rates = [float(spikes.mean()) for spikes in wanted.spikes.values()]
    assert np.mean([0 < rate < 1 for rate in rates]) > 0.7, rates  # silence would prove nothing
