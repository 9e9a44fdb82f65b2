"""Early exits, streams, threads, what is refused, and a process without torch."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from snn5.errors import UserError
from snn5.hardware import IntegerNetwork, Population, Readout, Synapses, save_integer
from snn5.inference import engine

ROOT = Path(__file__).parents[3]


def net(cutoff: tuple[int, ...] | None = (60, 50, 40, 30, 20), scale: int = 1, bias: int = 3) -> IntegerNetwork:
    rng = np.random.default_rng(3)
    first = Synapses(source="input", kind="conv", weight=scale * rng.integers(-20, 30, (8, 2, 3, 3)).astype(np.int32), padding=1)
    second = Synapses(source="a", kind="dense", weight=rng.integers(-30, 31, (12, 8 * 36)).astype(np.int32))
    out = Synapses(source="b", kind="dense", weight=rng.integers(-30, 31, (5, 12)).astype(np.int32))
    a = Population(
        name="a", shape=(8, 6, 6), synapses=(first,), bias=np.full(8, bias), threshold=np.full(8, 60 * scale, np.int64), decay=1000
    )
    b = Population(name="b", shape=(12, 1, 1), synapses=(second,), bias=np.full(12, 3), threshold=np.full(12, 40), decay=1000)
    return IntegerNetwork(
        populations=(a, b),
        readout=Readout(synapses=(out,), bias=np.arange(5), scale=0.1),
        input_shape=(2, 6, 6),
        time_steps=5,
        cutoff=cutoff,
    )


def frames(n: int = 40) -> np.ndarray:
    return np.random.default_rng(4).poisson(0.6, (5, n, 2, 6, 6))


def by_hand(logits_TNK: np.ndarray, cutoff: tuple[int, ...]) -> tuple[list[int], list[int]]:
    """Class and step of each sample, from the logits of all steps."""
    sums = logits_TNK.cumsum(0)
    classes, steps = [], []
    for i in range(sums.shape[1]):
        for t in range(len(sums)):
            best = np.sort(sums[t, i])
            if t + 1 == len(sums) or best[-1] - best[-2] > cutoff[t]:
                classes.append(int(sums[t, i].argmax()))
                steps.append(t + 1)
                break
    return classes, steps


def test_an_exit_stops_the_work() -> None:
    one = net()
    assert one.cutoff is not None
    x = frames()
    classes, steps = by_hand(one.run(x).logits_TNK, one.cutoff)
    found, whole = engine.compile(one)(x), engine.compile(one)(x, early=False)
    assert (found.prediction_N.tolist(), found.step_N.tolist()) == (classes, steps)
    assert len(set(steps)) > 2 and 5 in steps
    left = found.step_N < 5
    assert (found.synops_N[left] < whole.synops_N[left]).all() and (found.synops_N[~left] == whole.synops_N[~left]).all()
    assert (whole.step_N == 5).all()


def test_without_a_cutoff_all_steps_run() -> None:
    assert (engine.compile(net(None))(frames()).step_N == 5).all()


def test_threads_share_the_samples() -> None:
    one, two = (engine.compile(net(), threads=threads)(frames(41), record=True) for threads in (1, 2))
    assert (one.sum_NK == two.sum_NK).all() and (one.synops_N == two.synops_N).all()
    assert all((one.spikes[name] == two.spikes[name]).all() for name in one.spikes)


def test_a_stream_is_the_batch_step_by_step() -> None:
    one, x = engine.compile(net()), frames(6)
    batch = one(x)
    for i in range(6):
        one.start()
        for t in range(5):
            decision = one.push(x[t, i])
            assert decision.step == t + 1 and (decision.logits_K == batch.logits_TNK[t, i]).all()
            if decision.final:
                break
        assert (decision.step, decision.prediction) == (batch.step_N[i], batch.prediction_N[i])
        assert (decision.sum_K == batch.sum_NK[i]).all()


def test_packets_of_events_are_frames() -> None:
    one, x = engine.compile(net(None)), frames(1)[:, 0]
    for given in (lambda frame: frame, lambda frame: tuple(np.repeat(axis, frame[frame > 0]) for axis in frame.nonzero())):
        one.start()
        sums = [one.push(given(frame)).sum_K.tolist() for frame in x]
        assert sums == net(None).run(x[:, None]).logits_TNK[:, 0].cumsum(0).tolist()


def test_a_stream_must_be_begun_and_ends() -> None:
    one, frame = engine.compile(net(None)), frames(1)[0, 0]
    with pytest.raises(UserError, match=r"call start\(\)"):
        one.push(frame)
    one.start()
    for _ in range(5):
        one.push(frame)
    with pytest.raises(UserError, match="the stream is over: 5 steps"):
        one.push(frame)


def test_events_off_the_sensor() -> None:
    one = engine.compile(net())
    one.start()
    with pytest.raises(UserError, match="an event with x 6; need 0 to 5"):
        one.push(([0], [1], [6]))
    with pytest.raises(UserError, match="an event with channel -1"):
        one.push(([-1], [1], [1]))


def test_inputs_that_cannot_be() -> None:
    one = engine.compile(net())
    with pytest.raises(UserError, match=r"input of shape \[3, 1, 2, 6, 6\]; need \[1 or 5, N, 2, 6, 6\]"):
        one(np.zeros((3, 1, 2, 6, 6), int))
    with pytest.raises(UserError, match="input of type float64; the engine takes whole numbers"):
        one(np.zeros((1, 1, 2, 6, 6)))
    with pytest.raises(UserError, match=r"beyond \d+ a sum could leave 32 bits"):
        one(np.full((1, 1, 2, 6, 6), 10**8))


def test_a_potential_that_leaves_24_bits() -> None:
    """The reference and the engine name the same population; the engine works on as before afterwards."""
    loud, x = engine.compile(net(None)), frames(3)
    before = loud(x).sum_NK
    with pytest.raises(UserError, match="population a: potential"):
        net(None).run(10**4 * x)
    with pytest.raises(UserError, match="population a: a potential leaves 24 bits"):
        loud(10**4 * x)
    assert (loud(x).sum_NK == before).all()


def test_networks_that_cannot_be() -> None:
    with pytest.raises(UserError, match="a: its weights and biases could sum to more than 32 bits hold"):
        engine.compile(net(scale=10**6))
    first, second = net().populations
    with pytest.raises(UserError, match="its source 'b' is no earlier population; known here: input, a"):
        engine.compile(replace(net(), populations=(first, replace(second, synapses=(replace(second.synapses[0], source="b"),)))))
    with pytest.raises(UserError, match=r"weights \[12, 288\] on a .* give \[12, 1, 1\]; need \[9, 1, 1\]"):
        small = replace(second, shape=(9, 1, 1), bias=np.zeros(9, int), threshold=np.zeros(9, int))
        engine.compile(replace(net(), populations=(first, small)))
    with pytest.raises(UserError, match="a cutoff of 2 thresholds for 5 steps"):
        engine.compile(net((1, 2)))
    with pytest.raises(UserError, match="threads=0"):
        engine.compile(net(), threads=0)


def test_it_runs_where_there_is_no_torch(tmp_path: Path) -> None:
    file = tmp_path / "net.npz"
    save_integer(net(), file)
    script = (
        "import sys; sys.modules['torch'] = None\n"
        "import numpy as np\n"
        "from pathlib import Path\n"
        "from snn5.hardware import load_integer\n"
        "from snn5.inference import engine\n"
        f"found = engine.compile(load_integer(Path({str(file)!r})))(np.random.default_rng(4).poisson(0.6, (5, 40, 2, 6, 6)))\n"
        "print(found.prediction_N.tolist(), found.step_N.tolist())\n"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    here = engine.compile(net())(frames())
    assert done.stdout.strip() == f"{here.prediction_N.tolist()} {here.step_N.tolist()}", done.stderr
