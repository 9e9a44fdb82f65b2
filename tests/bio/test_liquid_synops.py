"""Synaptic operations, counted one by one."""

from dataclasses import replace

import torch

from snn5.bio import Liquid, bin_counts, fan_out, observe, synops
from snn5.bio._synops import raster_points
from snn5.config import Liquid as Settings

SETTINGS = Settings(neurons=25, gain=0.6)


def pool(settings: Settings = SETTINGS) -> Liquid:
    return Liquid(6, settings, input_rate=0.1, generator=torch.Generator().manual_seed(0))


def inputs(seed: int = 1) -> torch.Tensor:
    x_TNC = (torch.rand(40, 3, 6, generator=torch.Generator().manual_seed(seed)) < 0.15).to(torch.uint8)
    x_TNC[5, 0, 0] = 3  # several events of a pixel in one step count each
    return x_TNC


def counted(liquid: Liquid, x_TNC: torch.Tensor) -> list[int]:
    seen = observe(liquid, x_TNC, lambda s: bin_counts(s, 1), batch=2)
    return synops(seen.inputs_NC, seen.spikes_Nn, liquid.weight_in, liquid.weight).tolist()


def test_equals_a_walk_over_every_spike_and_synapse() -> None:
    liquid, x_TNC = pool(), inputs()
    spikes = liquid.simulate(x_TNC)[0].tolist()
    synapses, entries, x = liquid.weight.tolist(), liquid.weight_in.tolist(), x_TNC.tolist()
    expected = [0, 0, 0]
    for t in range(40):
        for k in range(3):
            for i in range(25):
                expected[k] += sum(x[t][k][c] for c in range(6) if entries[i][c] != 0)
                expected[k] += sum(spikes[t][k][j] for j in range(25) if synapses[i][j] != 0)
    assert sum(map(sum, spikes[0])) >= 0 and len(set(expected)) == 3
    assert counted(liquid, x_TNC) == expected


def test_fan_out_by_hand() -> None:
    assert fan_out(torch.tensor([[0.0, 2.0, -0.0], [0.0, -1.0, 3.0]])).tolist() == [0, 2, 1]


def test_without_recurrence_only_inputs_cost() -> None:
    liquid, x_TNC = pool(replace(SETTINGS, gain=0.0)), inputs()
    expected = (x_TNC.long().sum(0) * (liquid.weight_in != 0).sum(0)).sum(1)
    assert counted(liquid, x_TNC) == expected.tolist()


def test_more_spikes_cost_more() -> None:
    few, many = counted(pool(), inputs()), counted(pool(replace(SETTINGS, drive=8.0)), inputs())
    assert all(b > a for a, b in zip(few, many, strict=True))
    assert counted(pool(), inputs() * 0) == [0, 0, 0]


def test_raster_points() -> None:
    raster = torch.zeros(4, 5, dtype=torch.uint8)
    raster[1, 0] = raster[0, 2] = raster[3, 4] = raster[2, 1] = 1
    assert raster_points(raster, 10) == [[2, 0], [0, 1], [1, 2], [4, 3]]
    assert raster_points(raster, 3) == [[2, 0], [0, 1], [4, 3]]  # every second neuron
    full = torch.ones(100, 500, dtype=torch.uint8)
    points = raster_points(full, 3000)
    assert len(points) <= 3000 and len({n for n, _ in points}) == 30 and {t for _, t in points} == set(range(100))
