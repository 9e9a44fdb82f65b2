"""The liquid on spoken digits: speakers kept apart, groups by hand, gains paired by seed, and one whole trial on made-up bursts."""

from pathlib import Path

import numpy as np
import pytest
import torch

from experiments import heidelberg_lsm
from snn5.bio import ABLATIONS
from snn5.errors import UserError
from snn5.files import write_json


def test_speakers_from_the_official_names() -> None:
    assert heidelberg_lsm.speaker_of("lang-german_speaker-07_trial-3_digit-9.flac") == 7
    with pytest.raises(UserError, match=r"'digit-9\.flac' names no speaker"):
        heidelberg_lsm.speaker_of("digit-9.flac")


def test_a_speaker_is_in_one_group_and_groups_hold_two() -> None:
    speaker_N = np.array([0, 1, 2, 3, 6, 7, 8, 9, 10, 11]).repeat(3)
    group_N = heidelberg_lsm.groups_of(speaker_N)
    assert {int(s): set(group_N[speaker_N == s].tolist()) for s in (0, 7, 11)} == {0: {0}, 7: {0}, 11: {4}}
    assert [len(set(speaker_N[group_N == g].tolist())) for g in range(5)] == [heidelberg_lsm.LEFT_OUT] * 5


def test_gains_are_paired_seed_by_seed() -> None:
    """Gains of +10 and +20 points: mean 15, sd 7.07, half width 12.706 x 7.07 / sqrt(2) = 63.5 points."""
    frozen = {seed: {"metrics": {"test/acc": accuracy}} for seed, accuracy in enumerate((0.5, 0.6, 0.9))}
    learned = {seed: {"metrics": {"test/acc": accuracy}} for seed, accuracy in enumerate((0.6, 0.8))}  # the third has not run
    entry = heidelberg_lsm.entry_of(learned, frozen)
    assert entry["gain"] == pytest.approx(0.15) and entry["gain_ci95"] == pytest.approx(0.635, abs=1e-3)
    assert entry["test/acc"] == pytest.approx(0.7) and entry["seeds"] == {"0": 0.6, "1": 0.8}
    assert heidelberg_lsm.entry_of(frozen, frozen)["gain"] == 0


def test_only_the_same_settings_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heidelberg_lsm, "KEPT", tmp_path)
    liquid = heidelberg_lsm.settings()
    assert heidelberg_lsm.kept(liquid, "ip", 0) is None
    write_json(heidelberg_lsm._path("ip", 0), {"settings": heidelberg_lsm.asdict(liquid), "metrics": {}})
    assert heidelberg_lsm.kept(liquid, "ip", 0) is not None
    assert heidelberg_lsm.kept(heidelberg_lsm.replace(liquid, neurons=10), "ip", 0) is None


def test_an_unknown_variant_is_refused_before_any_work() -> None:
    assert set(heidelberg_lsm.VARIANTS) == {*ABLATIONS, "gain0"}
    with pytest.raises(UserError, match="unknown variant 'frozne'; did you mean frozen"):
        heidelberg_lsm.main(["frozne"])


def test_a_trial_from_wiring_to_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two classes, an early and a late burst: told apart by the liquid, and answered wrongly when they are played backwards."""
    monkeypatch.setattr(heidelberg_lsm, "CLASSES", 2)
    generator = torch.Generator().manual_seed(0)
    x_TNC = (torch.rand(40, 48, heidelberg_lsm.CHANNELS, generator=generator) < 0.02).to(torch.uint8)
    y_N = torch.arange(48) % 2
    for k, label in enumerate(y_N.tolist()):
        burst = slice(5, 12) if label == 0 else slice(28, 35)
        x_TNC[burst, k] |= (torch.rand(7, heidelberg_lsm.CHANNELS, generator=generator) < 0.3).to(torch.uint8)
    train, test = (x_TNC[:, :32], y_N[:32]), (x_TNC[:, 32:], y_N[32:])
    group_N = torch.arange(32) // 8
    liquid = heidelberg_lsm.replace(heidelberg_lsm.settings(), neurons=60)
    found = {name: heidelberg_lsm.trial(liquid, name, train, test, group_N, seed=1) for name in ("frozen", "ip_stdp_istdp", "gain0")}
    assert all(one["test/acc"] == 1.0 and one["val/acc"] == 1.0 and one["test/acc_reversed"] < 0.2 for one in found.values())
    assert len({one["cost/synops"] for one in found.values()}) == 3
    assert found["frozen"] == heidelberg_lsm.trial(liquid, "frozen", train, test, group_N, seed=1)
    counted = heidelberg_lsm.counts_of(train, test, group_N, 5)
    assert counted["test/acc_bins"] == 1.0 > counted["test/acc"]
