"""The Heidelberg experiment: no speaker on two sides, no test recording in the choice, and the choice by hand."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments import heidelberg
from snn5.config import Cochlea, Train
from snn5.datasets import Split, Splits, save_split
from snn5.errors import UserError


def whole() -> tuple[Split, np.ndarray, np.ndarray]:
    """Six speakers of ten recordings each, the last two in the test set; recording 13 is not there (a duplicate, say)."""
    speaker_N, test_N = np.repeat([0, 1, 2, 3, 8, 9], 10), np.repeat([False, True], [40, 20])
    index_N = np.delete(np.arange(60), 13)
    x_TNCHW = np.zeros((4, 59, 5, 1, 1), np.uint8)
    x_TNCHW[0, :, 0, 0, 0] = index_N
    return Split(x_TNCHW=x_TNCHW, y_N=index_N % 20, index_N=index_N, info={"dataset": "x", "num_classes": 20}), speaker_N, test_N


def heard(splits: Splits, speaker_N: np.ndarray) -> list[set[int]]:
    parts = (splits.train, splits.val, splits.test)
    assert all((part.x_TNCHW[0, :, 0, 0, 0] == part.index_N).all() and (part.y_N == part.index_N % 20).all() for part in parts)
    return [set(speaker_N[part.index_N].tolist()) for part in parts]


def test_no_speaker_is_on_two_sides() -> None:
    data, speaker_N, test_N = whole()
    splits = heidelberg.split_of(data, speaker_N, test_N, [1], tested=True)
    assert heard(splits, speaker_N) == [{0, 2, 3}, {1}, {8, 9}]
    assert [len(part) for part in (splits.train, splits.val, splits.test)] == [30, 9, 20]


def test_the_choice_reads_no_test_recording() -> None:
    data, speaker_N, test_N = whole()
    splits = heidelberg.split_of(data, speaker_N, test_N, [0, 3], tested=False)
    assert heard(splits, speaker_N) == [{1, 2}, {0, 3}, {0, 3}]
    assert not test_N[np.concatenate([part.index_N for part in (splits.train, splits.val, splits.test)])].any()


@pytest.mark.parametrize("speaker", [8, 5])
def test_only_training_speakers_can_be_held_out(speaker: int) -> None:
    data, speaker_N, test_N = whole()
    with pytest.raises(UserError, match=rf"speakers \[{speaker}\] are not in the training set; it has \[0, 1, 2, 3\]"):
        heidelberg.split_of(data, speaker_N, test_N, [1, speaker], tested=True)


def run(accuracy: float, n: int = 20, **more: float) -> dict[str, Any]:
    return {"metrics": {"test/acc_last": accuracy, **more}, "params": {"n_test": n}}


def test_the_highest_mean_is_chosen_and_the_first_of_equals() -> None:
    recipes = {name: Train(model=name, epochs=2) for name in "abc"}
    runs = {"a-0": run(0.9), "a-1": run(0.7), "b-0": run(0.85), "b-1": run(0.85), "c-0": run(0.85), "c-1": run(0.85)}
    name, judged = heidelberg.choose(recipes, runs, 2)
    assert name == "b" and judged["a"]["val/acc_last"] == pytest.approx(0.8) and judged["a"]["folds"] == [0.9, 0.7]
    assert judged["c"]["n"] == 40 and judged["c"]["settings"]["model"] == "c"


def test_mean_and_spread_over_seeds() -> None:
    entry = heidelberg.entry_of([run(0.92, 320, **{"test/acc": 0.9}), run(0.96, 320, **{"test/acc": 0.94, "val/acc": 0.5})])
    assert entry["seeds"] == [0.92, 0.96] and entry["n"] == 320 and "val/acc" not in entry
    assert entry["test/acc"] == pytest.approx(0.92) and entry["test/acc_last_sd"] == pytest.approx(0.04 / 2**0.5)


def test_speakers_come_from_the_official_lists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "HeidelbergDigits").mkdir()
    monkeypatch.setenv("SNN5_DATA_ROOT", str(tmp_path))
    with pytest.raises(UserError, match=r"train_filenames.txt is missing"):
        heidelberg.speakers()
    for part, who in (("train", (3, 11)), ("test", (4,))):
        names = [f"lang-german_speaker-{k:02d}_trial-0_digit-1.flac\n" for k in who]
        (tmp_path / f"HeidelbergDigits/{part}_filenames.txt").write_text("".join(names))
    speaker_N, test_N = heidelberg.speakers()
    assert speaker_N.tolist() == [3, 11, 4] and test_N.tolist() == [False, False, True]


def test_recordings_are_kept_as_long_as_the_cochlea_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heidelberg, "KEPT", tmp_path)
    cochlea = Cochlea(channels=5)
    x_TNCHW = np.arange(4 * 3 * 5, dtype=np.uint8).reshape(4, 3, 1, 5, 1)
    info = {"cochlea": {name: getattr(cochlea, name) for name in Cochlea.__dataclass_fields__}, "num_classes": 3}

    def part(*index: int) -> Split:
        at = list(index)
        return Split(x_TNCHW=x_TNCHW[:, at], y_N=np.array(at), index_N=np.array(at), info=info)

    asked: list[Any] = []
    monkeypatch.setattr(heidelberg, "load", lambda *a, **k: asked.append((a, k)) or Splits(train=part(2), val=part(0), test=part(1)))
    for _ in range(2):
        found = heidelberg.recordings(4, cochlea)
        assert found.x_TNCHW.shape == (4, 3, 5, 1, 1) and found.index_N.tolist() == [0, 1, 2]
        assert (found.x_TNCHW[..., 0, 0] == x_TNCHW[:, :, 0, :, 0]).all()
    assert len(asked) == 1
    heidelberg.recordings(4, Cochlea(channels=5, gain=9.0))
    assert len(asked) == 2 and asked[1][1]["binning"].columns == 1
    save_split(found, tmp_path / "recordings.safetensors")
    heidelberg.recordings(5, cochlea)
    assert len(asked) == 3


def test_the_recipes_are_valid() -> None:
    raw = heidelberg.read_yaml(heidelberg.SETTINGS)
    recipes = heidelberg.candidates(raw)
    assert len(recipes) >= 2 and all(recipe.model == "spiking_tcn" for recipe in recipes.values())
    held = {speaker for group in raw["folds"] for speaker in group}
    assert len(raw["held_out"]) == 3 and not held & set(raw["held_out"]) and not (held | set(raw["held_out"])) & {4, 5}
