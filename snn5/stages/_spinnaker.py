"""What p5_spinnaker looks at on one network."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from snn5.checkpoint import Checkpoint
from snn5.config import Spinnaker
from snn5.datasets import Split
from snn5.errors import NotPortable, UserError
from snn5.hardware import IntegerNetwork, Trace, nir, spinnaker, to_integer
from snn5.inference import all_logits
from snn5.record import Run


def ported(source: Checkpoint, train: Split, test: Split, settings: Spinnaker, params: dict[str, object]) -> Run:
    """Reference, NEST, s16.15, place on a board, and NIR, on the first test samples; cells are calibrated on training samples."""
    network, n = to_integer(source), min(settings.n_test, len(test))
    x, y_N = test.x_TNCHW[:, :n].astype(np.int64), test.y_N[:n]
    wanted = network.run(x)
    cells = spinnaker.calibrate(network, train.x_TNCHW[:, : settings.n_calibration].astype(np.int64))
    found = spinnaker.emulate(network, x, cells)
    float_N = all_logits(source.build(), test)[0].sum(0).argmax(-1).numpy()[:n]
    metrics = {
        "test/acc": float((labels(wanted) == y_N).mean()),
        "float/test/acc": float((float_N == y_N).mean()),
        "s1615/test/acc": float((labels(found.trace) == y_N).mean()),
        "s1615/mismatch": differing(found.trace, wanted) / compared(wanted),
        "s1615/agreement": float((labels(found.trace) == labels(wanted)).mean()),
        "s1615/saturated": float(sum(found.saturated.values())),
        "s1615/overflow": float(sum(found.overflow.values())),
    }
    metrics |= on_nest(network, x, wanted, y_N)
    more, details = on_board(network, wanted, cells, settings, int(test.x_TNCHW.max(initial=0)))
    board = spinnaker.Board(machine_name=settings.machine_name, spalloc_server=settings.spalloc_server)
    if not board.virtual:
        metrics |= on_chip(network, x, wanted, cells, board)
    again, said = through_nir(source, x[:, : settings.n_nir])
    shown = {**details, **said}
    return Run(params={**params, "n_test": n, "n_calibration": settings.n_calibration}, metrics={**metrics, **more, **again}, details=shown)


def labels(trace: Trace) -> np.ndarray:
    """The class of the largest summed logit."""
    return np.asarray(trace.logits_TNK.sum(0).argmax(-1))


def differing(a: Trace, b: Trace) -> int:
    """Spikes of all populations that are in one of them only."""
    return sum(int((a.spikes[name] != s).sum()) for name, s in b.spikes.items())


def compared(trace: Trace) -> int:
    """Places where a spike could be."""
    return sum(s.size for s in trace.spikes.values())


def on_nest(network: IntegerNetwork, x_TNCHW: np.ndarray, wanted: Trace, y_N: np.ndarray) -> dict[str, float]:
    """NEST against the reference without rounding, which it must equal, and against the one that rounds."""
    exact, found = network.run(x_TNCHW, step=spinnaker.exact_step), spinnaker.run_nest(network, x_TNCHW)
    return {
        "nest/test/acc": float((labels(found) == y_N).mean()),
        "nest/differences": float(differing(found, exact) + int((found.logits_TNK != exact.logits_TNK).sum())),
        "nest/compared": float(compared(exact) + exact.logits_TNK.size),
        "nest/rounded": differing(found, wanted) / compared(wanted),
        "nest/agreement": float((labels(found) == labels(wanted)).mean()),
    }


def on_board(
    network: IntegerNetwork, wanted: Trace, cells: dict[str, spinnaker.Cell], settings: Spinnaker, largest: int
) -> tuple[dict[str, float], dict[str, Any]]:
    """The place on one virtual 48-chip board, and the synaptic events of the busiest population's cores in a step."""
    try:
        mapping = spinnaker.map_virtual(network, cells=cells, neurons_per_core=settings.neurons_per_core, largest_input=largest)
    except UserError as error:
        return {"board/fits": 0.0}, {"board": str(error)}
    events = spinnaker.events_per_step(network, wanted)
    busiest = max(events[name] / mapping.cores_by_population[name] for name in events)
    numbers = {f"board/{key}": value for key, value in mapping.metrics().items()}
    return {"board/fits": 1.0, **numbers, "board/events_per_core": busiest}, {"cores_by_population": mapping.cores_by_population}


def on_chip(
    network: IntegerNetwork, x_TNCHW: np.ndarray, wanted: Trace, cells: dict[str, spinnaker.Cell], board: spinnaker.Board
) -> dict[str, float]:
    """The same program on a real board."""
    found = spinnaker.run_pynn(network, x_TNCHW, cells, backend="spiNNaker", board=board)
    return {
        "chip/mismatch": differing(found, wanted) / compared(wanted),
        "chip/agreement": float((labels(found) == labels(wanted)).mean()),
    }


def through_nir(source: Checkpoint, x_TNCHW: np.ndarray) -> tuple[dict[str, float], dict[str, Any]]:
    """Out to NIR and back, and read by SpikingJelly, which wants one threshold for a layer: so with a scale for the layer."""
    try:
        network = to_integer(source, scale="tensor")
        wanted = network.run(x_TNCHW, step=spinnaker.exact_step).logits_TNK
    except NotPortable as error:
        return {}, {"nir": str(error)}
    with tempfile.TemporaryDirectory(prefix="snn5-nir-") as folder:
        path = nir.export(network, Path(folder) / "network.nir", inclusive=True)
        same = np.array_equal(nir.load(path).run(x_TNCHW, step=spinnaker.exact_step).logits_TNK, wanted)
        metrics = {"nir/round_trip": float(same), "nir/n": float(x_TNCHW.shape[1])}
        try:
            found = nir.run_spikingjelly(path, x_TNCHW, network.time_steps)
        except UserError as error:
            return metrics, {"nir": str(error).replace(folder, "")}
    wrong = float((found != wanted).mean())
    agreement = float((found.sum(0).argmax(-1) == wanted.sum(0).argmax(-1)).mean())
    return {**metrics, "nir/spikingjelly_differences": wrong, "nir/spikingjelly_agreement": agreement}, {}
