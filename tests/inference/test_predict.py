"""`snn5 predict`: images and recordings, notes, and one clear line for each file that is none."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from snn5 import checkpoint
from snn5.checkpoint import Card, Checkpoint
from snn5.cli import app
from snn5.errors import UserError
from snn5.hardware import to_integer
from snn5.inference import Predictor
from snn5.models import create_model


def network(channels: int, side: int, neuron: str = "plif", scale: int = 16, **card: object) -> Checkpoint:
    """Random weights that let something fire."""
    with torch.random.fork_rng():
        model = create_model("sew_resnet8", in_channels=channels, num_classes=4, image_size=side, time_steps=3, neuron=neuron, width=4)
    generator = torch.Generator().manual_seed(0)
    for parameter in model.parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.5, generator=generator)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.constant_(module.bias, 1.0)
    args = {"model": model.name, "model_args": model.arguments, "dataset": "toy", "time_steps": 3, "neuron": neuron}
    return checkpoint.of(model, Card(**args, preprocessing={"scale": scale}, **card))  # type: ignore[arg-type]


def picture(folder: Path, name: str = "a.png", side: int = 8) -> Path:
    pixels = np.random.default_rng(1).integers(0, 17, (side, side))
    Image.fromarray(np.rint(pixels * 255 / 16).astype(np.uint8)).save(folder / name)
    return folder / name


def recording(folder: Path, side: int = 34) -> Path:
    """N-MNIST's five bytes an event: x, y, then polarity and 23 bits of time."""
    rng = np.random.default_rng(2)
    data = np.zeros((900, 5), np.uint8)
    data[:, 0], data[:, 1] = rng.integers(0, side, (2, 900))
    t = np.sort(rng.integers(0, 300_000, 900))
    data[:, 2] = (rng.integers(0, 2, 900) << 7) | (t >> 16)
    data[:, 3], data[:, 4] = (t >> 8) & 255, t & 255
    (folder / "r.bin").write_bytes(data.tobytes())
    return folder / "r.bin"


def test_an_image_is_the_whole_numbers_of_the_data_set(tmp_path: Path) -> None:
    net = network(1, 8)
    found = Predictor(net).predict(picture(tmp_path))
    x = np.random.default_rng(1).integers(0, 17, (8, 8))[None, None, None]
    integer = to_integer(net)
    mean = integer.run(x).logits_TNK.sum(0)[0] * integer.readout.scale / 3
    share = np.exp(mean - mean.max()) / np.exp(mean - mean.max()).sum()
    assert (found.label, found.step) == (int(mean.argmax()), 3)
    assert found.confidence == pytest.approx(share.max(), rel=1e-9)
    assert found.synops is not None and found.synops > 0 and found.milliseconds > 0


def test_a_recording_of_n_mnist(tmp_path: Path) -> None:
    found = Predictor(network(2, 34, scale=1)).predict(recording(tmp_path))
    assert 0 <= found.label < 4 and 0.25 <= found.confidence <= 1 and found.step == 3


def test_an_early_exit_is_used(tmp_path: Path) -> None:
    always = {"rule": "gap", "epsilon": 0.0, "thresholds": [-1.0, 1e9, 1e9]}
    assert Predictor(network(1, 8, cutoff=always)).predict(picture(tmp_path)).step == 1


def test_what_cannot_be_ported_runs_in_torch(tmp_path: Path) -> None:
    net = Predictor(network(1, 8, neuron="glif"))
    assert len(net.notes) == 1 and net.notes[0].startswith("PyTorch runs this checkpoint, since it has no form in whole numbers: GLIF")
    found = net.predict(picture(tmp_path))
    assert found.synops is None and found.step == 3 and 0.25 <= found.confidence <= 1


def test_files_that_do_not_fit(tmp_path: Path) -> None:
    grey, events = Predictor(network(1, 8)), Predictor(network(2, 8, scale=1))
    with pytest.raises(UserError, match=r"r\.bin: this network was trained on images"):
        grey.predict(recording(tmp_path))
    with pytest.raises(UserError, match=r"a\.png: an image, but this network was trained on events"):
        events.predict(picture(tmp_path))
    with pytest.raises(UserError, match=r"r\.bin: an event at 33, but the network sees 8 x 8 pixels"):
        events.predict(recording(tmp_path))


def test_the_command_goes_on_after_a_bad_file(tmp_path: Path) -> None:
    checkpoint.save(network(1, 8), tmp_path / "net.safetensors")
    (tmp_path / "bad.png").write_bytes(b"garbage")
    words = [str(tmp_path / "bad.png"), str(picture(tmp_path)), str(tmp_path / "none.png"), str(picture(tmp_path, "b.png"))]
    done = CliRunner().invoke(app, ["predict", str(tmp_path / "net.safetensors"), *words], env={"COLUMNS": "200"})
    assert done.exit_code == 1
    assert [line.split()[0][-5:] for line in done.stdout.splitlines()] == ["file", "a.png", "b.png"]
    assert done.stdout.splitlines()[1].split()[1:] != [] and "3 of 3" in done.stdout
    first, second = done.stderr.splitlines()
    assert "bad.png is truncated or no image" in first and second.endswith("none.png: no such file")
    good = CliRunner().invoke(app, ["predict", str(tmp_path / "net.safetensors"), words[1]])
    assert good.exit_code == 0 and good.stderr == ""
