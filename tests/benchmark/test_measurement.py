import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from snn5.benchmark import Measurement, compare, measure
from snn5.checkpoint import Card, Checkpoint, of
from snn5.datasets import Split
from snn5.errors import UserError
from snn5.models import SpikingModel, ann_twin, create_model

N = 12


def net(twin: bool = False) -> SpikingModel:
    model = create_model("sew_resnet20", in_channels=1, num_classes=4, image_size=8, time_steps=3, neuron="lif", width=4)
    model = ann_twin(model) if twin else model
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.constant_(module.weight, 4.0)
            nn.init.constant_(module.bias, 1.0)
    return model.eval()


def checkpoint(twin: bool = False, **card: object) -> Checkpoint:
    model = net()
    args = {"model": model.name, "model_args": model.arguments, "dataset": "toy", "time_steps": 3, "neuron": "lif", "twin": twin}
    return of(net(twin), Card(**{**args, **card}))


@pytest.fixture(scope="module")
def split() -> Split:
    x = np.random.default_rng(0).integers(0, 17, (1, N, 1, 8, 8), dtype=np.uint8)
    return Split(x_TNCHW=x, y_N=np.arange(N) % 4, index_N=np.arange(N), info={"dataset": "toy", "scale": 16, "split": "test"})


@pytest.fixture(scope="module")
def snn(split: Split) -> Measurement:
    return measure(checkpoint(), split, seed=3, protocol="val_selected")


@pytest.fixture(scope="module")
def ann(split: Split) -> Measurement:
    return measure(checkpoint(twin=True), split, seed=3, protocol="val_selected")


def test_json_round_trip(snn: Measurement, ann: Measurement) -> None:
    for m in (snn, ann, compare(snn, ann)):
        assert Measurement.from_json(json.loads(json.dumps(m.to_json(), allow_nan=False))) == m


def test_figures_are_those_of_the_layers(snn: Measurement, split: Split) -> None:
    layers = snn.layers.values()
    assert snn.effective_acs == sum(layer.acs for layer in layers) > 0
    assert snn.effective_macs == sum(layer.macs for layer in layers) > 0
    assert snn.dense_macs == sum(layer.dense for layer in layers)
    assert snn.energy_pj["fp32"] == pytest.approx(4.6 * snn.effective_macs + 0.9 * snn.effective_acs)
    assert snn.energy_pj["memory"] > snn.energy_pj["fp32"] > snn.energy_pj["int"]
    assert (snn.n, snn.seed, snn.steps_mean, snn.model, snn.data, snn.spiking) == (N, 3, 3.0, "sew_resnet20", "toy", True)
    with torch.no_grad():
        prediction_N = net()(torch.from_numpy(split.x_TNCHW) / 16).mean(0).argmax(-1).numpy()
    assert snn.accuracy == (prediction_N == split.y_N).mean()


def test_batch_size_and_limit(snn: Measurement, split: Split) -> None:
    small = measure(checkpoint(), split, seed=3, protocol="val_selected", batch_size=5)
    assert (small.dense_macs, small.neuron_updates, small.n) == (snn.dense_macs, snn.neuron_updates, N)
    assert small.synops == pytest.approx(snn.synops, rel=1e-3)  # other batch, other convolution kernel: a spike may flip
    assert measure(checkpoint(), split, seed=3, protocol="val_selected", limit=4).n == 4


def test_ratios_from_raw_counts(snn: Measurement, ann: Measurement) -> None:
    """What a second script would compute from the layers alone."""
    compared = compare(snn, ann)
    own = sum(4.6 * layer.macs + 0.9 * layer.acs for layer in snn.layers.values())
    dense, skipping = (sum(4.6 * getattr(layer, key) for layer in ann.layers.values()) for key in ("dense", "macs"))
    metrics = compared.metrics()
    assert metrics["cost/ratio_ann_dense"] == pytest.approx(own / dense)
    assert metrics["cost/ratio_ann_zero_skip"] == pytest.approx(own / skipping)
    assert dense > skipping > 0
    assert compared.ratios["ann_dense"]["accuracy"] == ann.accuracy
    assert ann.dense_macs * 3 == snn.dense_macs + 2 * snn.layers["stem_conv.0"].dense  # the stem runs once, all else three times


def test_nothing_is_reported_that_was_not_measured(snn: Measurement, ann: Measurement) -> None:
    always = {"test/acc", "cost/synops", "cost/energy_pj", "cost/steps_mean", "model/params_nnz", "model/bytes"}
    dense = {"cost/ratio_ann_dense", "cost/ratio_ann_zero_skip"}
    assert set(snn.metrics()) == always | {"cost/spike_rate"}
    assert set(ann.metrics()) == always
    assert set(compare(snn, ann).metrics()) == always | {"cost/spike_rate"} | dense
    assert compare(snn, ann).ratios["qnn"] is None and compare(snn, ann).ratios["ann_pruned"] is None
    assert set(replace(snn, protocol="last_epoch").metrics()) >= {"test/acc_last"}


def test_further_rivals(snn: Measurement, ann: Measurement) -> None:
    quantised = replace(ann, activation_bits=2, accuracy=0.5)  # T = 3 steps count 0..3 spikes: 2 bits
    compared = compare(snn, ann, quantised=quantised, pruned=ann)
    assert compared.metrics()["cost/ratio_qnn"] == pytest.approx(snn.energy_pj["int"] / quantised.energy_pj["int"])
    assert compared.metrics()["cost/ratio_ann_pruned"] == pytest.approx(snn.energy_pj["fp32"] / ann.energy_pj["fp32"])
    assert compared.ratios["qnn"]["accuracy"] == 0.5


def test_quantised_and_masked_checkpoints_are_smaller(snn: Measurement, split: Split) -> None:
    found = measure(checkpoint(quantisation={"bits": 4}), split, seed=0, protocol="val_selected")
    assert found.packed_bytes < 0.4 * snn.packed_bytes and found.energy_pj["int"] < snn.energy_pj["int"]
    assert found.energy_pj["fp32"] == snn.energy_pj["fp32"]


def test_unfair_comparisons_are_refused(snn: Measurement, ann: Measurement) -> None:
    for change, match in {
        ("data", "other"): "measured with data='other', the SNN with 'toy'",
        ("n", 5): "measured with n=5, the SNN with 12",
        ("protocol", "last_epoch"): "protocol='last_epoch'",
        ("spiking", True): "is a spiking network; a ratio is against an ANN",
    }.items():
        with pytest.raises(UserError, match=match):
            compare(snn, replace(ann, **dict([change])))
    with pytest.raises(UserError, match="has 32 bit activations; T=3 steps match 2 bits"):
        compare(snn, ann, quantised=ann)
    with pytest.raises(UserError, match="non-zero parameters, the SNN"):
        compare(snn, ann, pruned=replace(ann, params_nnz=10))


def test_errors(split: Split) -> None:
    with pytest.raises(UserError, match="unknown protocol 'best_on_test'"):
        measure(checkpoint(), split, seed=0, protocol="best_on_test")
    with pytest.raises(UserError, match="measures on val; this is the test split"):
        measure(checkpoint(), split, seed=0, protocol="validation")
    with pytest.raises(UserError, match="limit=0 of 12 samples; measure at least 1"):
        measure(checkpoint(), split, seed=0, protocol="val_selected", limit=0)
    with pytest.raises(UserError, match="not a measurement"):
        Measurement.from_json({"layers": {}})


def test_a_live_model_is_measured_and_left_as_it_was(snn: Measurement, split: Split) -> None:
    model = net().train()
    found = measure(model, split, seed=3, protocol="val_selected")
    assert model.training and found.to_json() == snn.to_json()
