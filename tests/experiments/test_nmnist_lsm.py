"""The liquid's N-MNIST experiment: pixels in twos, pooled figures, and settings that are a liquid's."""

import numpy as np
import pytest

from experiments import nmnist_lsm
from snn5.bio import ABLATIONS
from snn5.datasets import Split
from snn5.files import write_json


def test_pixels_are_summed_in_twos() -> None:
    x_TNCHW = np.arange(2 * 1 * 1 * 4 * 4, dtype=np.uint8).reshape(2, 1, 1, 4, 4)
    whole = Split(x_TNCHW=x_TNCHW, y_N=np.zeros(1, np.int64), index_N=np.zeros(1, np.int64))
    small = nmnist_lsm.smaller(whole).x_TNCHW
    assert small[0, 0, 0].tolist() == [[0 + 1 + 4 + 5, 2 + 3 + 6 + 7], [8 + 9 + 12 + 13, 10 + 11 + 14 + 15]]
    assert small.sum() == x_TNCHW.sum() and small.shape == (2, 1, 1, 2, 2)


def test_pooled_accuracy_by_hand() -> None:
    """18 of 20 and 7 of 10 right: 25 of 30, not the mean of 0.9 and 0.7."""
    runs = [{"metrics": {"test/acc": a}, "n_test": n} for a, n in ((0.9, 20), (0.7, 10))]
    entry = nmnist_lsm.entry_of(runs)
    assert entry["right"] == 25 and entry["n"] == 30 and entry["pooled/acc"] == pytest.approx(25 / 30)
    assert entry["test/acc"] == pytest.approx(0.8) and entry["folds"] == [0.9, 0.7]


def test_only_the_same_settings_are_kept(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nmnist_lsm, "KEPT", tmp_path)
    liquid = nmnist_lsm.settings()
    assert nmnist_lsm.kept(liquid, "frozen", 0) is None
    write_json(nmnist_lsm._path("frozen", 0), {"settings": nmnist_lsm.asdict(liquid), "metrics": {}, "n_test": 1})
    assert nmnist_lsm.kept(liquid, "frozen", 0) is not None
    assert nmnist_lsm.kept(nmnist_lsm.replace(liquid, neurons=10), "frozen", 0) is None


def test_variants_are_ablations() -> None:
    assert set(nmnist_lsm.VARIANTS) <= set(ABLATIONS) and nmnist_lsm.settings().dt_ms * nmnist_lsm.TIME_STEPS == 300
