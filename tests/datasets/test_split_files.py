"""The packed file of a split."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from snn5.datasets import Split, load_split, save_split
from snn5.errors import UserError


@pytest.fixture
def split() -> Split:
    rng = np.random.default_rng(0)
    x_TNCHW = rng.integers(0, 256, (3, 5, 2, 4, 6)).astype(np.uint8)
    return Split(x_TNCHW=x_TNCHW, y_N=np.arange(5), index_N=np.arange(5) * 7, info={"dataset": "x", "scale": 1})


def test_round_trip_and_equal_bytes(split: Split, tmp_path: Path) -> None:
    for name in ("a", "b"):
        save_split(split, tmp_path / name)
    back = load_split(tmp_path / "a")
    assert back.x_TNCHW.tobytes() == split.x_TNCHW.tobytes() and back.x_TNCHW.shape == (3, 5, 2, 4, 6)
    assert back.y_N.tolist() == split.y_N.tolist() and back.index_N.tolist() == split.index_N.tolist() and back.info == split.info
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert len(back) == 5


def test_a_view_is_stored_in_its_own_order(split: Split, tmp_path: Path) -> None:
    view = Split(x_TNCHW=split.x_TNCHW[:, ::-1], y_N=split.y_N[::-1], index_N=split.index_N[::-1], info={})
    save_split(view, tmp_path / "a")
    assert (load_split(tmp_path / "a").x_TNCHW == split.x_TNCHW[:, ::-1]).all()
    assert load_split(tmp_path / "a").y_N.tolist() == [4, 3, 2, 1, 0]


def test_shape_errors(split: Split) -> None:
    with pytest.raises(UserError, match=r"got float32\[3, 5, 2, 4, 6\], 5 labels, 5 indices"):
        Split(x_TNCHW=split.x_TNCHW.astype(np.float32), y_N=split.y_N, index_N=split.index_N)
    with pytest.raises(UserError, match="4 labels, 5 indices"):
        Split(x_TNCHW=split.x_TNCHW, y_N=split.y_N[1:], index_N=split.index_N)


def test_file_errors(split: Split, tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    with pytest.raises(UserError, match=r"a.safetensors is missing; make it with `dvc repro p7_data`"):
        load_split(path)
    save_split(split, path)
    whole = path.read_bytes()
    for damaged in (whole[:-1], whole[:100], b"", b"\xff" * 50):
        path.write_bytes(damaged)
        with pytest.raises(UserError, match="truncated or corrupt"):
            load_split(path)
    save_file({"x": split.x_TNCHW}, path)
    with pytest.raises(UserError, match="holds no SNN5 split"):
        load_split(path)
    save_file({"x": split.x_TNCHW}, path, metadata={"snn5_split": "{}"})
    with pytest.raises(UserError, match=r"a.safetensors"):
        load_split(path)
