"""The cochlea: tones in their channels, loudness without a say, spikes by a hand-made neuron, and the official layout of its digits."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from snn5.config import Binning, Cochlea
from snn5.datasets import cochlea, load
from snn5.datasets._cochlea import MEMBRANE_MS, centres_hz, drive, spike_frames
from snn5.datasets._root import configured_root
from snn5.errors import UserError

SETTINGS = Cochlea(channels=32, duration_ms=300.0)


def tone(hz: float, seconds: float = 0.3, rate_hz: int = 16000) -> np.ndarray:
    return np.sin(2 * np.pi * hz * np.arange(round(seconds * rate_hz)) / rate_hz)


def test_centres_by_hand() -> None:
    centres = centres_hz(Cochlea(channels=3, low_hz=100.0, high_hz=5000.0))
    low, high = 21.4 * np.log10(1.437), 21.4 * np.log10(22.85)  # 1 + 0.00437 f
    assert centres[[0, 2]] == pytest.approx([100, 5000])
    assert centres[1] == pytest.approx((10 ** ((low + high) / 2 / 21.4) - 1) / 0.00437)


@pytest.mark.parametrize("channel", [1, 8, 20, 30])
def test_a_tone_is_loudest_in_the_channel_of_its_frequency(channel: int) -> None:
    driven = drive(tone(centres_hz(SETTINGS)[channel]), 16000, SETTINGS)
    assert driven.shape == (32, 300) and 0 <= driven.min() <= driven.max() <= 1
    assert driven[:, 100:250].mean(axis=1).argmax() == channel
    assert cochlea(tone(centres_hz(SETTINGS)[channel]), 16000, SETTINGS).sum(axis=1).argmax() in (channel - 1, channel, channel + 1)


def test_the_filters_are_those_of_the_formula() -> None:
    """A lasting tone of 1000 Hz: levels differ by |H|, whatever the way the band is cut out of the spectrum."""
    settings = Cochlea(channels=2, low_hz=900.0, high_hz=1000.0, duration_ms=400.0, floor_db=100.0)
    driven = drive(tone(1000, 0.4), 16000, settings)[:, 300:390].mean(axis=1)
    b = 1.019 * 24.7 * (1 + 0.00437 * 900)
    expected_db = -20 * 4 * np.log10(abs(1 + 1j * 100 / b))
    assert (driven[0] - driven[1]) * 100 * 2 == pytest.approx(expected_db, rel=0.05)  # half of a lasting drive is taken away


def test_adaptation_leaves_the_onset_and_half_of_the_rest() -> None:
    driven = drive(tone(1000, 1.0), 16000, Cochlea(channels=3, low_hz=900.0, high_hz=1100.0, duration_ms=900.0))
    assert driven[1, 10:60].max() > 0.85 and driven[1, 700:850] == pytest.approx(0.5, abs=0.01)


def test_loudness_and_rate_have_no_say() -> None:
    sound = tone(500) + 0.3 * tone(2000)
    plain = cochlea(sound, 16000, SETTINGS)
    assert plain.sum() > 400 and (cochlea(1e-3 * sound, 16000, SETTINGS) == plain).all()
    faster = cochlea(tone(500, rate_hz=48000) + 0.3 * tone(2000, rate_hz=48000), 48000, SETTINGS)
    assert np.abs(faster.sum(axis=1, dtype=int) - plain.sum(axis=1, dtype=int)).max() <= 3


def test_the_neuron_by_hand() -> None:
    settings = Cochlea(channels=8, duration_ms=200.0)
    driven = np.round(drive(tone(700, 0.2), 16000, settings) * 65536) / 65536
    spikes = cochlea(tone(700, 0.2), 16000, settings)
    v = 0.0
    for s in range(200):  # channel by channel, step by step
        v = v * np.exp(-1 / MEMBRANE_MS) + 0.4 * driven[3, s]
        assert spikes[3, s] == (v >= 1)
        v -= v >= 1
    assert set(np.unique(spikes)) == {0, 1}


def test_frames_by_hand() -> None:
    spikes = np.zeros((2, 10), np.uint8)
    spikes[0, [0, 4, 5]] = spikes[1, [2, 3, 9]] = 1
    # 4 bins over 10 steps begin at 0, 3, 5, 8 (the first step whose bin floor(4 s / 10) is theirs)
    assert spike_frames(spikes, 2, 2).tolist() == [[[[1, 1], [1, 1]]], [[[1, 0], [0, 1]]]]
    assert spike_frames(spikes, 2, 2).shape == (2, 1, 2, 2)
    assert spike_frames(spikes, 3, 1).sum() == 6
    with pytest.raises(UserError, match=r"time_steps=4 times binning.columns=3 are more bins than the 10 steps"):
        spike_frames(spikes, 4, 3)


def test_errors() -> None:
    with pytest.raises(UserError, match="it holds only silence"):
        cochlea(np.zeros(100), 16000, SETTINGS)
    with pytest.raises(UserError, match="8000 samples per second hold nothing above 4000 Hz; lower high_hz=7000"):
        cochlea(tone(100), 8000, SETTINGS)
    with pytest.raises(UserError, match=r"low_hz=900.0 must lie below high_hz=800.0"):
        Cochlea(low_hz=900.0, high_hz=800.0)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two languages, three speakers, two digits, three trials; speaker 2 is the official test set."""
    folder, rng = tmp_path / "HeidelbergDigits", np.random.default_rng(0)
    (folder / "audio").mkdir(parents=True)
    lists: dict[str, list[str]] = {"train": [], "test": []}
    for language in ("english", "german"):
        for speaker in range(3):
            for trial in range(3):
                for digit in (0, 7):
                    name = f"lang-{language}_speaker-{speaker:02d}_trial-{trial}_digit-{digit}.flac"
                    soundfile.write(folder / "audio" / name, 0.1 * rng.standard_normal(3200), 16000)
                    lists["test" if speaker == 2 else "train"].append(name)
    for part, names in lists.items():
        (folder / f"{part}_filenames.txt").write_text("\n".join(names) + "\n")
    return tmp_path


def test_heidelberg_layout_classes_and_speakers(root: Path) -> None:
    splits = load(
        "heidelberg_cochlea", root=root, time_steps=4, cochlea=Cochlea(channels=10, duration_ms=200.0), binning=Binning(columns=5)
    )
    assert splits.train.x_TNCHW.shape[2:] == (1, 10, 10) and not splits.train.x_TNCHW[..., 5:].any()
    assert [len(s) for s in (splits.train, splits.val, splits.test)] == [20, 4, 12]
    assert splits.test.index_N.tolist() == list(range(24, 36)) and splits.train.info["official_test"] is True
    assert sorted(set(splits.test.y_N.tolist())) == [0, 7, 10, 17]
    assert [splits.train.info["classes"][i] for i in (7, 10)] == ["english_7", "german_0"]
    name = root / "HeidelbergDigits/audio/lang-german_speaker-01_trial-2_digit-7.flac"
    name.write_bytes(name.read_bytes()[:500])
    with pytest.raises(UserError, match=r"lang-german_speaker-01_trial-2_digit-7.flac is (truncated|damaged)"):
        load("heidelberg_cochlea", root=root, time_steps=4)
    name.unlink()
    with pytest.raises(UserError, match=r"lang-german_speaker-01_trial-2_digit-7.flac is missing; provide it"):
        load("heidelberg_cochlea", root=root, time_steps=4)
    (root / "HeidelbergDigits/train_filenames.txt").write_text("../../secret.flac\n")
    with pytest.raises(UserError, match=r"train_filenames.txt lists '../../secret.flac', which is not named as"):
        load("heidelberg_cochlea", root=root, time_steps=4)


@pytest.mark.data
@pytest.mark.skipif(not ((configured_root() or Path()) / "HeidelbergDigits").is_dir(), reason="the Heidelberg Digits are not here")
def test_real_digits_make_spikes_in_most_channels() -> None:
    from snn5.datasets._audio import read_audio

    paths = sorted(((configured_root() or Path()) / "HeidelbergDigits/audio").glob("*.flac"))[::150]
    for path in paths:
        spikes = cochlea(*read_audio(path), Cochlea())
        assert 800 < spikes.sum() < 4000 and (spikes.sum(axis=1) > 0).mean() > 0.7


@pytest.mark.data
@pytest.mark.skipif(not ((configured_root() or Path()) / "HeidelbergDigits").is_dir(), reason="the Heidelberg Digits are not here")
def test_real_set_from_its_layout() -> None:
    """Every recording, in the order of the official lists; few channels, as it is the layout that is looked at."""
    splits = load("heidelberg_cochlea", time_steps=2, cochlea=Cochlea(channels=4, duration_ms=300.0), binning=Binning(columns=1))
    info = splits.train.info
    assert sum(info["counts"].values()) + info["dropped"] == 1920 and len(splits.test) == 320 and info["official_test"] is True
    assert np.bincount(splits.test.y_N, minlength=20).tolist() == [16] * 20
    assert splits.test.index_N.tolist() == list(range(1600, 1920)) and splits.train.x_TNCHW.shape[2:] == (1, 4, 1)
