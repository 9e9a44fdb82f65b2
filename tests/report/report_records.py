"""Records of every stage, as the stages would write them, with figures that are easy to check by hand."""

from collections.abc import Mapping

from snn5.benchmark import Measurement
from snn5.record import Record, Run
from snn5.report import Results
from snn5.statistics import summarise

SEEDS = (0, 1, 2)
SHIFT = {0: -0.01, 1: 0.0, 2: 0.01}  # of each seed's figures: mean 0, sd 0.01
LAVA = {"samples": 200.0, "labels": 199.0, "spikes": 1e4}
LAYERS = ("stem_neuron", "blocks.0.branch.1", "blocks.10.branch.1")


def results(without: str = "", **changed: Record) -> Results:
    """All stages but `without`; `changed` replaces some (their names with _ for @ and -)."""
    made = {name: changed.get(name.replace("@", "_").replace("-", "_"), record) for name, record in _all().items()}
    return Results({name: record for name, record in made.items() if name != without})


def measured(
    *, spiking: bool, seed: int, accuracy: float, energy_nj: float, data: str = "digits", ratios: Mapping[str, float] | None = None
) -> Measurement:
    """A Measurement with round figures; the dense energy is ten times the other."""
    energy = {"fp32": 1000 * energy_nj, "int": 100 * energy_nj, "memory": 5000 * energy_nj}
    found = {rival: {"fp32": r, "int": r, "memory": 2 * r, "accuracy": 0.99} for rival, r in (ratios or {}).items()}
    return Measurement(
        model="sew_resnet8" if spiking else "sew_resnet8_ann",
        data=data,
        spiking=spiking,
        time_steps=4 if spiking else 1,
        protocol="val_selected",
        seed=seed,
        n=450,
        accuracy=accuracy,
        layers={},
        neurons={},
        dense_macs=1e6,
        effective_macs=1e4,
        effective_acs=2e5,
        neuron_updates=1e4,
        params_nnz=1000,
        weight_bits={},
        activation_bits=32,
        packed_bytes=4000,
        steps_mean=4.0,
        energy_pj=energy,
        dense_energy_pj={kind: 10 * pj for kind, pj in energy.items()},
        ratios={rival: found.get(rival) for rival in ("ann_dense", "ann_zero_skip", "qnn", "ann_pruned")},
    )


def _all() -> dict[str, Record]:
    made = {f"p7_data@{slot}": _data(name, shape) for slot, name, shape in (("frames", "digits", 1), ("events", "digits_events", 2))}
    for family, accuracy in (("sew_resnet", 0.97), ("ann_twin", 0.99)):
        for slot in ("frames", "events"):
            made[f"p1_train@{family}-{slot}"] = _training(accuracy, spiking=family == "sew_resnet")
    for family, (plain, special) in CONTRASTS.items():
        made[f"p1_contrast@{family}"] = contrast({plain: 0.96, special: 0.98})
    return made | {
        "p1_depth": contrast({"sew_resnet20": 0.97, "sew_resnet56": 0.96, "spiking_resnet20": 0.95, "spiking_resnet56": 0.2}),
        "p2_neurons": _neurons(),
        "p2_coding": _coding(),
        "p3_tune": _tuning(),
        "p4_sparsify": _sparsity(),
        "p4_prune": pruning(),
        "p4_quantize": _quantisation(),
        "p5_cutoff@frames": _cutoff(),
        "p5_cutoff@events": _cutoff(),
        "p5_lava": _lava(),
        "p5_engine@frames": engine(),
        "p5_engine@events": engine(),
        "p5_spinnaker@frames": spinnaker(),
        "p5_spinnaker@events": spinnaker(fits=False),
        "p6_integrate@frames": integration(),
        "p6_integrate@events": integration(data="digits_events", start="p1_train"),
        "p7_benchmark": _benchmark(),
        "p7_suite": suite(),
        "p8_lsm": _liquid(),
        "p8_local": _local(),
        "p8_ssm": _rival(),
        "p8_dale": _dale(),
        "p8_homeostasis": _homeostasis(),
        "p8_reproducibility": reproducibility(),
    }


def _lava() -> Record:
    """Two networks of the six, one with a spike that differs."""
    used = {"neurons": 100, "synapses": 2000, "kernels": 300, "cores": 3, "delay": 2}
    runs, summary = {}, {"networks": 2.0, "networks_equal": 1.0}
    for name, differing in (("dense", 0.0), ("p6-frames", 1.0)):
        for seed in SEEDS:
            metrics = {"test/acc": 0.97, "float/acc": 0.972, "int/acc_change": -0.002 + SHIFT[seed] / 10, "int/exact": 1.0}
            params = {"seed": seed, "n_test": 450, "T": 4}
            runs[f"{name}-seed{seed}"] = Run(params=params, metrics=metrics | {"int/peak_current": 6000.0})
        runs[f"{name}-seed{SEEDS[0]}"].details["resources"] = {"total": used}
        summary |= summarise((runs[f"{name}-seed{seed}"] for seed in SEEDS), prefix=f"{name}/")
        summary |= {
            f"{name}/lava/{key}": v for key, v in (("samples", 200.0), ("labels", 199.0), ("spikes", 1e4), ("differing", differing))
        }
    return Record(summary=summary, runs=runs)


def _data(name: str, channels: int) -> Record:
    runs = {
        side: Run(params={"split": side}, metrics={"data/mean_sum": 19.5}, details={"shape": [1, 450, channels, 8, 8]})
        for side in ("train", "test")
    }
    return Record(
        summary={"data/train_samples": 1078.0, "data/val_samples": 269.0, "data/test_samples": 450.0},
        runs=runs,
        details={"dataset": name, "time_steps": 4},
    )


def _training(accuracy: float, *, spiking: bool) -> Record:
    runs = {}
    for seed in SEEDS:
        metrics = {
            "val/acc": accuracy,
            "test/acc": accuracy + SHIFT[seed],
            "test/acc_last": accuracy,
            "train/loss": 0.3,
            "model/params": 77763.0,
        }
        if spiking:
            metrics["cost/spike_rate"] = 0.15
        curves = {"val/acc": [(0, 0.2), (1, accuracy)], "train/loss": [(0, 2.0), (1, 0.3)]}
        runs[f"seed{seed}"] = Run(params={"seed": seed, "n_test": 450}, metrics=metrics, curves=curves)
    return Record(summary=summarise(runs.values()), runs=runs)


CONTRASTS = {"spikingformer": ("plain", "cml"), "hsvt": ("lstm", "stfe"), "dta": ("plain", "dta"), "staa": ("plain", "staa")}


def contrast(accuracies: Mapping[str, float]) -> Record:
    """Variants of one family, the first of them the reference; each gains what stands there, seed by seed."""
    runs, summary = {}, {}
    first = next(iter(accuracies.values()))
    for name, accuracy in accuracies.items():
        own = {}
        for seed in SEEDS:
            metrics = {"test/acc": accuracy + SHIFT[seed], "cost/spike_rate": 0.1, "cost/synops": 2.5e6, "model/params": 12345.0}
            own[f"{name}-seed{seed}"] = Run(params={"seed": seed, "variant": name, "n_test": 450}, metrics=metrics)
        runs |= own
        summary |= summarise(own.values(), prefix=f"{name}/")
        if accuracy != first:
            summary |= {f"{name}/acc_gain": accuracy - first, f"{name}/acc_gain_sd": 0.0}
    return Record(summary=summary, runs=runs, details={"reference": next(iter(accuracies))})


def _neurons() -> Record:
    runs, summary = {}, {}
    for neuron, tau, accuracy in (("lif", 2.0, 0.95), ("lif", 16.0, 0.4), ("plif", 2.0, 0.96), ("plif", 16.0, 0.94)):
        own = {}
        for seed in SEEDS:
            learned = {f"{layer}": tau + place / 10 for place, layer in enumerate(LAYERS)} if neuron == "plif" else {}
            own[f"{neuron}-tau{tau:g}-seed{seed}"] = Run(
                params={"seed": seed, "neuron": neuron, "tau0": tau, "n_test": 450},
                metrics={"test/acc": accuracy, "cost/spike_rate": 0.1},
                curves={"val/acc": [(0, 0.1), (1, accuracy)]},
                details={"tau": learned},
            )
        runs |= own
        summary |= summarise(own.values(), prefix=f"{neuron}-tau{tau:g}/")
    for neuron in ("glif", "dynamic_glif"):
        own = {
            f"{neuron}-seed{seed}": Run(
                params={"seed": seed, "neuron": neuron, "n_test": 450},
                metrics={"test/acc": 0.97, "cost/spike_rate": 0.2, "model/params": 999.0},
            )
            for seed in SEEDS
        }
        runs |= own
        summary |= summarise(own.values(), prefix=f"{neuron}/")
    return Record(summary=summary | {"lif/acc_lost_to_tau0": 0.55, "plif/acc_lost_to_tau0": 0.02}, runs=runs)


def _coding() -> Record:
    summary, runs = {}, {}
    for code, accuracy, synops in (("rate", 0.96, 1000.0), ("ttfs", 0.955, 400.0), ("relu", 0.96, 0.0)):
        metrics = {"test/acc": accuracy}
        if synops:
            metrics |= {"cost/synops": synops, "cost/spikes_per_neuron": 1.0, "cost/latency_steps": 16.0}
        own = {f"{code}-seed{seed}": Run(params={"seed": seed, "code": code}, metrics=dict(metrics)) for seed in range(10)}
        runs |= own
        summary |= summarise(own.values(), prefix=f"{code}/")
    for name, ratio in (("synops", 0.4), ("spikes", 0.3), ("neuron_updates", 1.9), ("operations", 0.5), ("latency", 3.0)):
        summary |= {f"compare/{name}_ratio": ratio, f"compare/{name}_ratio_sd": 0.05}
    summary |= {
        "compare/acc_loss_to_rate": 0.005,
        "compare/acc_loss_to_rate_sd": 0.002,
        "compare/acc_loss_to_rate_ci95": 0.001,
        "verdict/all": 1.0,
    }
    claims = [{"name": "synops", "claim": "SynOps as a share of the rate code's, at most", "measured": 0.4, "limit": 0.5, "met": True}]
    rate = [{"layer": "input", "start": 0, "rows": ["1010", "0101"]}, {"layer": "hidden1", "start": 0, "rows": ["0010"]}]
    ttfs = [{"layer": "input", "start": 0, "rows": ["1000", "0100"]}, {"layer": "hidden1", "start": 4, "rows": ["0010"]}]
    raster = {"sample": {"index": 0, "label": 7, "seed": 0}, "rate": rate, "ttfs": ttfs}
    return Record(summary=summary, runs=runs, details={"claims": claims, "raster": raster, "n_test": 450})


def _tuning() -> Record:
    trials = {
        "trial000": Run(params={"state": "COMPLETE"}, metrics={"val/acc": 0.97}, curves={"val/acc": [(0, 0.5), (1, 0.97)]}),
        "trial001": Run(params={"state": "PRUNED"}, metrics={"val/acc": 0.4}, curves={"val/acc": [(0, 0.4)]}),
    }
    seeds = {f"seed{s}": Run(params={"seed": s, "n_test": 450}, metrics={"test/acc": 0.98 + SHIFT[s]}) for s in SEEDS}
    study = {"study/val_acc": 0.97, "study/complete": 1.0, "study/pruned": 1.0, "study/epochs": 3.0, "study/epochs_unpruned": 4.0}
    for number, (accuracy, synops) in enumerate(((0.97, 2e5), (0.96, 1e5), (0.95, 1.5e5))):
        trials[f"tradeoff{number:03d}"] = Run(params={"state": "COMPLETE"}, metrics={"val/acc": accuracy, "cost/synops": synops})
    trials["tradeoff003"] = Run(params={"state": "PRUNED"})
    study |= {"tradeoff/trials": 4.0, "tradeoff/front": 2.0}
    details = {"point": {"lr": 0.004, "tau": 2.2}, "trial": 0, "front": [0, 1]}
    return Record(summary=summarise(seeds.values()) | study, runs=trials | seeds, details=details)


def _sparsity() -> Record:
    runs, summary = {}, {"chosen_strength": 0.1}
    for strength, synops in ((0.0, 4e5), (0.1, 2e5)):
        own = {}
        for seed in SEEDS:
            metrics = {
                "val/acc": 0.98,
                "test/acc_last": 0.97 + SHIFT[seed],
                "cost/synops": synops * (1 + SHIFT[seed]),
                "cost/spike_rate": 0.1,
                "cost/energy_pj": synops,
            }
            own[f"strength{strength:g}-seed{seed}"] = Run(
                params={"seed": seed, "strength": strength}, metrics=metrics, details={"n_test": 450}
            )
        runs |= own
        summary |= summarise(own.values(), prefix=f"strength{strength:g}/")
    return Record(summary=summary | summarise(own.values()) | {"cost/synops_ratio": 0.5}, runs=runs)


def pruning(within: float = 1.0) -> Record:
    """Two sparsities, three methods; 0.75 is chosen: 1 point lost and 0.4 of the operations left; magnitude has 80 % there."""
    runs, summary = {}, {"chosen_sparsity": 0.75, "sparsities_within_limit": within}
    figures = {
        ("dense", 0.0): (0.98, None),
        ("sbc_sequential", 0.75): (0.97, 0.25),
        ("sbc_sequential", 0.9): (0.96, 0.4),
        ("sbc", 0.75): (0.97, 0.26),
        ("sbc", 0.9): (0.95, 0.41),
        ("magnitude", 0.75): (0.8, 0.4),
        ("magnitude", 0.9): (0.2, 0.7),
    }
    for (method, sparsity), (accuracy, distance) in figures.items():
        own = {}
        for seed in SEEDS:
            metrics = {"val/acc": accuracy, "test/acc": accuracy + SHIFT[seed], "model/params_nnz": 2000.0, "cost/synops": 2e5}
            if distance is not None:
                metrics |= {"prune/distance": distance, "prune/sparsity": sparsity}
            params = {"seed": seed, "method": method, "sparsity": sparsity, "n_test": 450, "n_calibration": 100}
            own[f"{method}-{sparsity:g}-seed{seed}"] = Run(params=params, metrics=metrics)
        runs |= own
        summary |= summarise(own.values(), prefix=f"{method}-{sparsity:g}/")
    summary |= summarise(runs[f"sbc_sequential-0.75-seed{seed}"] for seed in SEEDS)
    return Record(summary=summary | {"prune/synops_ratio": 0.4, "prune/nnz_ratio": 0.25, "prune/acc_change": -0.01}, runs=runs)


def _quantisation() -> Record:
    runs, summary = {}, {"chosen_bits": 2.0, "bits_within_limit": 2.0}
    variants = {("float", 32): 0.98, ("rtn", 4): 0.97, ("rtn", 2): 0.9, ("qat", 4): 0.98, ("qat", 2): 0.975, ("mint", 4): 0.97}
    for (method, bits), accuracy in variants.items():
        own = {}
        for seed in SEEDS:
            metrics = {
                "val/acc": 0.98,
                "test/acc": accuracy + SHIFT[seed],
                "cost/synops": 3e5,
                "model/bytes": 1e4 * bits,
                "compare/acc_loss": 0.98 - accuracy,
                "compare/bytes_ratio": bits / 32,
            }
            own[f"{method}{bits}-seed{seed}"] = Run(params={"seed": seed, "method": method, "bits": bits, "n_test": 450}, metrics=metrics)
        runs |= own
        summary |= summarise(own.values(), prefix=f"{method}{bits}/")
    chosen = [run for name, run in runs.items() if name.startswith("qat2-")]
    return Record(summary=summary | summarise(chosen), runs=runs)


def _cutoff() -> Record:
    runs: dict[str, dict[str, Run]] = {kind: {} for kind in ("", "full", "gap", "entropy", "max_probability")}
    for seed in SEEDS:
        metrics = {"test/acc": 0.97 + SHIFT[seed], "cost/steps_mean": 4.0, "cost/synops": 4e5, "cost/energy_pj": 4e5}
        stopped = {"test/acc_by_step": [(1, 0.9), (2, 0.95), (3, 0.96), (4, 0.97)]}
        runs["full"][f"seed{seed}-full"] = Run(params={"seed": seed, "n_test": 450}, metrics=metrics, curves=stopped)
        change = {"cost/steps_mean": 2.0, "cutoff/fewer_steps": 2.0, "cutoff/fewer_synops": 1.8, "cutoff/acc_change": -0.002}
        kept = {"seed": seed, "rule": "gap", "epsilon": 0.01, "n_test": 450}
        runs[""][f"seed{seed}"] = Run(params=kept, metrics=metrics | change, details={"optimal_steps_mean": 1.5})
        for rule in ("gap", "entropy", "max_probability"):
            curves = {"test/acc": [(0, 0.97), (1, 0.965)], "cost/steps_mean": [(0, 3.0), (1, 2.0)]}
            own = {"test/acc": 0.97, "cost/steps_mean": 2.0, "cutoff/fewer_steps": 2.0, "cutoff/acc_change": -0.002}
            runs[rule][f"seed{seed}-{rule}"] = Run(params={**kept, "rule": rule}, metrics=own, curves=curves)
    summary = summarise(runs[""].values())
    for kind in list(runs)[1:]:
        summary |= summarise(runs[kind].values(), prefix=f"{kind}/")
    return Record(summary=summary, runs={name: run for group in runs.values() for name, run in group.items()})


def spinnaker(*, fits: bool = True, wrong: float = 0.0) -> Record:
    """One seed of both networks; the second has its place on a board if `fits`."""
    runs, summary = {}, {}
    for key in ("p1", "p6"):
        metrics = {"float/test/acc": 0.985, "test/acc": 0.98, "nest/test/acc": 0.98, "s1615/test/acc": 0.975}
        metrics |= {"nest/differences": wrong, "nest/compared": 4e6, "nest/rounded": 2e-4, "nest/agreement": 1.0}
        metrics |= {"s1615/mismatch": 1e-4, "s1615/agreement": 0.995, "nir/spikingjelly_agreement": 1.0, "board/fits": float(fits)}
        if fits:
            numbers = {"neurons": 5386, "synapses": 214553, "cores": 24, "chips": 3, "keys": 23, "routing_entries_max": 9}
            numbers |= {"events_per_core": 1234, "sdram_bytes": 10020578, "sdram_bytes_max": 7218680}
            metrics |= {f"board/{name}": float(value) for name, value in numbers.items()}
        runs[f"{key}-seed0"] = Run(params={"source": key, "seed": 0, "n_test": 200, "n_calibration": 100}, metrics=metrics)
        summary |= summarise([runs[f"{key}-seed0"]], prefix=f"{key}/")
    return Record(summary=summary, runs=runs)


def integration(*, ratio: float = 0.1, accuracy: float = 0.985, data: str = "digits", start: str = "p3_tune") -> Record:
    """P6 with the final network's energy over the dense ANN's, and its accuracy; the ANN's is 0.99."""
    runs, summary = {}, {}
    steps = {"start": (0.98, 900.0), "sparse": (0.98, 600.0), "pruned": (0.97, 500.0), "quantised": (0.98, 500.0)}
    rivals = {"ann": (0.99, 400.0), "qnn": (0.98, 300.0), "ann_pruned": (0.985, 200.0)}
    for step, (acc, energy) in (rivals | steps | {"cutoff": (accuracy, 4000 * ratio)}).items():
        own = {}
        for seed in SEEDS:
            own_ratios = {} if step in rivals else {"ann_dense": energy / 4000, "ann_zero_skip": energy / 400}
            own_ratios |= {"qnn": energy / 300, "ann_pruned": energy / 200} if step == "cutoff" else {}
            m = measured(spiking=step not in rivals, seed=seed, accuracy=acc + SHIFT[seed], energy_nj=energy, data=data, ratios=own_ratios)
            own[f"{step}-seed{seed}"] = Run(params={"seed": seed, "step": step}, metrics=m.metrics(), details=m.to_json())
        runs |= own
        summary |= summarise(own.values(), prefix=f"{step}/")
    summary |= {name.removeprefix("cutoff/"): value for name, value in summary.items() if name.startswith("cutoff/")}
    reached = ratio <= 0.02 and accuracy >= 0.98 - 1e-9
    summary |= {"strength": 1.0, "sparsity": 0.75, "bits": 4.0, "epsilon": 0.01, "target/ratio": 0.02, "target/reached": float(reached)}
    return Record(summary=summary, runs=runs, details={"start": start})


def _benchmark() -> Record:
    runs, summary = {}, {}
    for family, energy in (("sew_resnet", 900.0), ("ann_twin", 400.0)):
        for slot in ("frames", "events"):
            own = {}
            for seed in SEEDS:
                spiking = family == "sew_resnet"
                m = measured(spiking=spiking, seed=seed, accuracy=0.97 + SHIFT[seed], energy_nj=energy, data="digits")
                curves = {"cost/layer_spike_rate": [(0, 0.1), (1, 0.2)]} if spiking else {}
                details = {
                    "measurement": m.to_json(),
                    "cross_check": {"synops": 5.0, "synops_difference": 0.0, "macs_padded_difference": 0.0},
                }
                metrics = m.metrics() | {"cost/energy_memory_pj": m.energy_pj["memory"]} | ({"cost/spike_rate": 0.15} if spiking else {})
                own[f"{family}-{slot}-seed{seed}"] = Run(
                    params={"seed": seed, "n_test": 450}, metrics=metrics, curves=curves, details=details
                )
            runs |= own
            summary |= summarise(own.values(), prefix=f"{family}-{slot}/")
    return Record(summary=summary, runs=runs)


SUITE = {  # network -> accuracy, synops, change of accuracy with time reversed (None for frames)
    "p1_train@sew_resnet-events": (0.97, 2e6, -0.02),
    "p1_train@ann_twin-events": (0.99, 1e6, 0.0),
    "p1_contrast@hsvt/lstm": (0.9, 9e6, -0.5),
    "p6_integrate@frames": (0.98, 3e4, None),
}


def suite() -> Record:
    """Four networks; rates of two layers, 0.1 and 0.2."""
    runs, summary = {}, {}
    for name, (accuracy, synops, change) in SUITE.items():
        own = {}
        for seed in SEEDS:
            metrics = {
                "test/acc": accuracy + SHIFT[seed],
                "cost/synops": synops,
                "cost/energy_pj": synops,
                "cost/energy_memory_pj": 9 * synops,
            }
            metrics |= {"cost/steps_mean": 4.0, "model/params": 1000.0, "model/params_nnz": 500.0, "model/bytes": 4000.0}
            if change is not None:
                metrics |= {"test/reversal_change": change, "test/acc_reversed": accuracy + SHIFT[seed] + change}
            rates = {} if "twin" in name else {"stem_neuron": 0.1, "blocks.0.branch.1": 0.2}
            metrics |= {"cost/spike_rate": 0.15} if rates else {}
            data = "digits" if change is None else "digits_events"
            details = {"dataset": data, "n": 450, "rates": rates}
            own[f"{name}-seed{seed}"] = Run(params={"seed": seed, "network": name, "n_test": 450}, metrics=metrics, details=details)
        runs |= own
        summary |= summarise(own.values(), prefix=f"{name}/")
    return Record(summary=summary, runs=runs, details={"networks": list(SUITE)})


def _liquid() -> Record:
    runs, summary = {}, {}
    for group, accuracy, n in (("events", 0.96, 450), ("events_gain0", 0.95, 450), ("order_easy", 1.0, 600), ("order_hard", 0.8, 600)):
        own = {}
        for seed in range(5):
            metrics = {"test/acc": accuracy, "cost/spike_rate": 0.02, "cost/synops": 1e5, "cost/readout_macs": 15000.0}
            own[f"{group}-seed{seed}"] = Run(params={"seed": seed, "group": group}, metrics=metrics, details={"n_test": n})
        runs |= own
        summary |= summarise(own.values(), prefix=f"{group}/")
    for name in ("ip", "ip_stdp", "ip_stdp_istdp"):
        own = {
            f"events_{name}-seed{seed}": Run(
                params={"seed": seed, "group": f"events_{name}"},
                metrics={"test/acc": 0.97, "cost/spike_rate": 0.02},
                details={"n_test": 450},
            )
            for seed in range(5)
        }
        runs |= own
        summary |= summarise(own.values(), prefix=f"events_{name}/")
    for name, gain in (("frozen", 0.0), ("ip", 0.01), ("ip_stdp", 0.01), ("ip_stdp_istdp", -0.02)):
        figures = {"acc": 0.96 + gain, "acc_ci95": 0.004, "gain": gain, "gain_ci95": 0.003}
        summary |= {f"ablation/events/{name}/{key}": value for key, value in figures.items()}
    runs["events-seed0"].metrics["test/acc"] = 0.9  # one seed of five misses the target of 95 %
    runs["events-seed0"].details["raster"] = {"points": [[0, 3], [1, 5], [1, 9]], "label": 4}
    runs["input_counts"] = Run(metrics={"test/acc": 0.9, "test/acc_bins": 0.95}, details={"n_test": 450})
    claims = [{"name": "accuracy", "claim": "accuracy on the recordings", "measured": 0.96, "limit": 0.95, "at_least": True, "met": True}]
    summary |= {"verdict/deterministic": 1.0, "compare/acc_of_recurrence": 0.3}
    return Record(summary=summary, runs=runs, details={"claims": claims, "n_test": 450})


def _rival() -> Record:
    runs, summary = {}, {"verdict/deterministic": 1.0}
    for task, accuracy in (("events", 0.93), ("order_hard", 0.8)):
        own = {}
        for seed in SEEDS:
            metrics = {"test/acc": accuracy + SHIFT[seed], "model/params": 9000.0, "cost/train_macs": 5e10, "cost/synops": 2e5}
            metrics |= {"cost/macs": 1e6, "cost/spike_rate": 0.2, "cost/energy_pj": 4.78e6}
            own[f"{task}-seed{seed}"] = Run(params={"seed": seed, "group": task}, metrics=metrics, details={"n_test": 450})
        runs |= own
        summary |= summarise(own.values(), prefix=f"{task}/")
    claims = [{"name": "accuracy", "claim": "accuracy on the recordings", "measured": 0.93, "limit": 0.9, "at_least": True, "met": True}]
    return Record(summary=summary, runs=runs, details={"claims": claims, "n_test": 450})


def _local() -> Record:
    runs, summary = {}, {}
    for variant, accuracy in (("stdp", 0.96), ("no_stdp", 0.6), ("no_homeostasis", 0.5)):
        own = {}
        for seed in range(10):
            metrics = {"test/acc": accuracy, "cost/synops": 6.3e4, "local/neurons_used": 1.0}
            own[f"{variant}-seed{seed}"] = Run(params={"seed": seed, "variant": variant}, metrics=metrics, details={"n_test": 450})
        runs |= own
        summary |= summarise(own.values(), prefix=f"{variant}/")
    fields = [{"label": k // 3, "weights": [0.25] * 4} for k in range(30)]
    runs["stdp-seed0"].details["fields"] = {"side": 2, "weights": fields}
    summary |= {"compare/acc_over_no_stdp": 0.36, "compare/acc_over_no_stdp_ci95": 0.02}
    claims = [{"name": "accuracy", "claim": "accuracy by local rules alone", "measured": 0.96, "limit": 0.9, "at_least": True, "met": True}]
    return Record(summary=summary, runs=runs, details={"claims": claims, "n_test": 450})


def reproducibility(*, seeds: int = 4, successes: int = 4, proved: float = 0.47) -> Record:
    """P8.4 of both tracks; the liquid's spread is that of its wiring."""
    summary: dict[str, float] = {}
    for track, accuracy, asked in (("bio", 0.95, 0.9), ("sg", 0.98, 0.95)):
        for prefix in (f"{track}/", f"{track}/codes/ttfs/"):
            figures = {"n_seeds": seeds, "n_test": 450, "test/acc": accuracy, "test/acc_sd": 0.008, "test/acc_min": 0.94}
            figures |= {"r1/successes": successes, "r1/observed": successes / seeds, "r1/proved": proved}
            figures |= {"r2/steadiness": 1 - 0.008 / accuracy, "r3/agreement": 0.94, "r3/kappa": 0.93}
            summary |= {prefix + name: float(value) for name, value in figures.items()}
        summary |= {f"{track}/target": asked, f"{track}/r0/bits": 1.0}
    for cell, sd in (("init", 0.008), ("noise", 0.003), ("order", 0.001), ("init+noise+order", 0.009)):
        summary[f"bio/sources/{cell}/sd"] = sd
    claims = [{"name": "bio_bits", "claim": "bio: equal runs", "measured": 5.0, "limit": 5.0, "at_least": True, "met": True}]
    runs = {
        f"bio-seeds-seed{s}": Run(params={"seed": s, "track": "bio", "group": "seeds"}, metrics={"test/acc": 0.95}) for s in range(seeds)
    }
    runs |= {f"bio-sources-init-run{k}": Run(params={"track": "bio", "group": "sources/init"}) for k in range(3)}
    return Record(summary=summary, runs=runs, details={"claims": claims, "n_test": 450})


def _dale() -> Record:
    runs, summary = {}, {}
    for name, ratio, rate in (("istdp", 1.05, 0.011), ("frozen", 2.4, 0.03), ("stdp", 2.3, 0.03), ("e_only", 2.0, 0.05)):
        own = {}
        for seed in SEEDS:
            metrics = {"rate_ratio": ratio + SHIFT[seed], "rate_ratio_frozen_then": 2.5, "steady/rate_e": rate, "steady/cv_isi": 0.8}
            metrics |= {"steady/correlation": 0.02, "doubled/net_current": 0.1, "dale/violations": 0.0, "test/acc": 0.8}
            curves = {"rate_e": [(0, rate), (1000, rate), (2000, rate * ratio), (3000, rate * ratio)]}
            own[f"{name}-seed{seed}"] = Run(params={"seed": seed, "group": name}, metrics=metrics, curves=curves, details={"n_test": 450})
        runs |= own
        summary |= summarise(own.values(), prefix=f"{name}/")
    runs["istdp-seed0"].details["raster"] = {"points": [[0, 3], [1, 5], [81, 9]], "n_e": 80}
    claims = [{"name": "dale", "claim": "weights against Dale's law", "measured": 0.0, "limit": 0.0, "at_least": False, "met": True}]
    return Record(summary=summary, runs=runs, details={"claims": claims, "n_test": 450})


def _homeostasis() -> Record:
    runs, summary = {}, {}
    for name, steps, error in (("none", 12000.0, 5.0), ("threshold", 2000.0, 0.01), ("bcm", 12000.0, 0.55)):
        own = {}
        for seed in SEEDS:
            metrics = {f"{phase}/{key}": v for phase in ("x4", "x0.25") for key, v in (("settled_steps", steps), ("error", error))}
            metrics |= {"x1/selectivity": 0.8, "x0.25/test/acc": 0.9 + SHIFT[seed], "weight_growth": 1.5}
            curves = {"rate": [(2000 * k, 0.0 if k == 3 else 0.02) for k in range(8)]}
            own[f"{name}-seed{seed}"] = Run(params={"seed": seed, "group": name}, metrics=metrics, curves=curves)
        runs |= own
        summary |= summarise(own.values(), prefix=f"{name}/")
    claims = [{"name": "threshold", "claim": "steps", "measured": 2000.0, "limit": 4000.0, "at_least": False, "met": True}]
    bound = [{"loop_gain": 0.5, "start": 0.02, "end": 0.0, "y_max": 1.02, "as_predicted": 1.0}]
    details = {"claims": claims, "bound": bound, "n_test": 30, "target": 0.02, "first_steps": 8000, "steps": 12000}
    return Record(summary=summary, runs=runs, details=details)


def engine(differences: float = 0.0, change: float = -0.002) -> Record:
    """P5.2's record: both networks of three seeds."""
    runs = {}
    for source, accuracy in (("p1", 0.98), ("p6", 0.97)):
        for seed in SEEDS:
            metrics = {
                "test/acc": accuracy + change + SHIFT[seed],
                "float/test/acc": accuracy + SHIFT[seed],
                "engine/acc_change": change,
                "engine/agreement": 0.995,
                "engine/differences": differences,
                "engine/compared": 1e6,
                "cost/steps_mean": 4.0 if source == "p1" else 1.5,
                "cost/synops": 4e5,
                "engine/updates": 2e4,
            }
            runs[f"{source}-seed{seed}"] = Run(params={"source": source, "seed": seed, "n_test": 450}, metrics=metrics)
    summary: dict[str, float] = {}
    for source in ("p1", "p6"):
        summary |= summarise((run for name, run in runs.items() if name.startswith(source)), prefix=f"{source}/")
    return Record(summary=summary, runs=runs)
