"""The recorded experiment goes on where it stopped, and its table says what its trainings gave."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from experiments import reproducibility
from snn5 import config
from snn5.bio.reproducibility import EVERYTHING, decompose
from snn5.config import Liquid, Train
from snn5.datasets import Split, Splits
from snn5.files import read_json
from snn5.success import lower_bound, needed

ROOT = Path(__file__).parents[2]


def images(n: int, first: int) -> Split:
    y_N = np.arange(n) % 2
    x_TNCHW = np.random.default_rng(first).integers(0, 9, (1, n, 1, 3, 3), dtype=np.uint8)
    x_TNCHW[0, y_N == 1] += 7
    return Split(x_TNCHW=x_TNCHW, y_N=y_N, index_N=np.arange(first, first + n), info={"dataset": "two", "num_classes": 2, "scale": 16})


SPLITS = Splits(train=images(20, 0), val=images(6, 20), test=images(10, 26))


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> config.Config:
    monkeypatch.chdir(ROOT)
    whole = config.load(ROOT / "params.yaml", profile="default")
    train = Train(
        model="spiking_mlp", model_args={"hidden": [6]}, epochs=2, batch_size=10, lr=1e-2, loss="rate", shift_pixels=0, guard_epochs=0
    )
    own = replace(
        whole.p8_reproducibility, seeds=[0, 1], runs=2, sources=[], neurons=20, liquid_steps=10, train_steps=4, train=train, bins=1
    )
    return replace(whole, p8=Liquid(neurons=20), p8_reproducibility=own)


def test_what_is_kept_is_not_trained_again(settings: config.Config, tmp_path: Path) -> None:
    result, kept = tmp_path / "result.json", tmp_path / "kept"
    reproducibility.main(settings, SPLITS, result=result, kept=kept)
    first, files = result.read_bytes(), sorted(kept.rglob("*.json"))
    assert len(files) == 2 * (2 + 5)
    files[0].unlink()
    times = {path: path.stat().st_mtime_ns for path in files[1:]}
    reproducibility.main(settings, SPLITS, result=result, kept=kept)
    assert result.read_bytes() == first and files[0].is_file()
    assert times == {path: path.stat().st_mtime_ns for path in files[1:]}
    other = replace(settings, p8_reproducibility=replace(settings.p8_reproducibility, readout_epochs=1))
    reproducibility.main(other, SPLITS, result=result, kept=kept)
    assert result.read_bytes() != first
    assert times != {path: path.stat().st_mtime_ns for path in files[1:]}


def test_the_table(settings: config.Config, tmp_path: Path) -> None:
    result = tmp_path / "result.json"
    reproducibility.main(settings, SPLITS, result=result, kept=tmp_path / "kept")
    table = read_json(result)
    assert table["n_test"] == 10 and set(table["tracks"]) == {"bio", "sg"}
    for track in table["tracks"].values():
        assert len(track["accuracies"]["seeds"]) == 2 and not any(track["differs"].values())


def test_the_profile_has_as_many_seeds_as_prove_it() -> None:
    own = config.load(ROOT / "params.yaml", profile="reproducibility").p8_reproducibility
    assert len(own.seeds) == needed() and own.sources == ["bio", "sg"]


def test_the_recorded_result_is_of_these_settings_and_adds_up() -> None:
    table = read_json(ROOT / "experiments/results/reproducibility.json")
    own = config.load(ROOT / "params.yaml", profile="reproducibility").p8_reproducibility
    assert table["settings"]["p8_reproducibility"]["seeds"] == own.seeds
    for track, target in (("bio", own.bio_target), ("sg", own.sg_target)):
        accuracies, figures = table["tracks"][track]["accuracies"]["seeds"], table["tracks"][track]["figures"]
        good = sum(accuracy >= target for accuracy in accuracies)
        assert len(accuracies) == 59 and figures[f"{track}/r1/successes"] == good
        assert figures[f"{track}/r1/proved"] == pytest.approx(lower_bound(good, 59))
        assert not any(table["tracks"][track]["differs"].values())
        cells = {name.removeprefix("sources/"): own for name, own in table["tracks"][track]["accuracies"].items() if name[:8] == "sources/"}
        assert {len(own) for own in cells.values()} == {12}
        cells[EVERYTHING] = accuracies
        for name, value in decompose(cells).items():
            assert figures[f"{track}/sources/{name}"] == pytest.approx(value, abs=1e-12)
