"""A set read one recording at a time: resumed where it was interrupted, the same bytes, and memory that does not grow with the set."""

import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from snn5.datasets import _collect, load_split, save_split
from snn5.datasets._collect import collect
from snn5.datasets._source import Source, stamp
from snn5.datasets._split import write_split
from snn5.errors import UserError

SHAPE = (2, 2, 8, 8)


def source(count: int, read: Callable[[int], np.ndarray] | None = None, shape: tuple[int, int, int, int] = SHAPE) -> Source:
    def plain(i: int) -> np.ndarray:
        return np.random.default_rng(i).integers(0, 256, shape).astype(np.uint8)

    return Source(
        names=[f"{i}.x" for i in range(count)],
        y_N=np.arange(count) % 3,
        test_N=np.arange(count) % 5 == 0,
        shape=shape,
        read=lambda i: ((read or plain)(i), i % 2),
        digest=lambda i: f"{i:064x}",
        stamp="0" * 64,
        classes=("a", "b", "c"),
    )


def test_files_hold_what_memory_holds(tmp_path: Path) -> None:
    plain, filed = collect(source(250)), collect(source(250), scratch=tmp_path)
    assert plain.x_TNCHW.shape == (2, 250, 2, 8, 8) and (plain.x_TNCHW == filed.x_TNCHW).all()
    assert plain.info == filed.info == {"skipped": [], "events_left_out": 125}
    assert plain.keys_N == filed.keys_N and plain.keys_N is not None and plain.keys_N[17] == f"{17:064x}"
    for name in ("y_N", "test_N", "index_N", "first_N"):
        assert (getattr(plain, name) == getattr(filed, name)).all()


@pytest.mark.parametrize("stop_at", [0, 1, 99, 100, 205, 249])
def test_an_interrupted_preparation_goes_on_where_it_was(stop_at: int, tmp_path: Path) -> None:
    whole, seen = collect(source(250)), []

    def interrupted(i: int) -> np.ndarray:
        if i == stop_at:
            raise KeyboardInterrupt
        return whole.x_TNCHW[:, i]

    with pytest.raises(KeyboardInterrupt):
        collect(source(250, interrupted), scratch=tmp_path)

    def noted(i: int) -> np.ndarray:
        seen.append(i)
        return whole.x_TNCHW[:, i]

    again = collect(source(250, noted), scratch=tmp_path)
    assert seen == list(range(stop_at, 250))
    assert (again.x_TNCHW == whole.x_TNCHW).all() and again.info == whole.info


def test_interrupted_while_writing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the samples and their notes, and between the notes and the memory of both."""
    whole = np.array(collect(source(150)).x_TNCHW)
    for number, after in ((2, "samples.u8"), (2, "notes.jsonl")):
        plain, calls = _collect._append, []

        def append(path: Path, size: int, parts: list[bytes], plain=plain, calls=calls, after=after, number=number) -> int:  # type: ignore[no-untyped-def]
            made = plain(path, size, parts)
            calls.append(path.name)
            if calls.count(after) == number and path.name == after:
                calls.extend([after] * 9)
                raise KeyboardInterrupt
            return made

        monkeypatch.setattr(_collect, "_append", append)
        with pytest.raises(KeyboardInterrupt):
            collect(source(150), scratch=tmp_path / after)
        monkeypatch.setattr(_collect, "_append", plain)
        assert (collect(source(150), scratch=tmp_path / after).x_TNCHW == whole).all()


def test_what_was_skipped_does_not_stay_so(tmp_path: Path) -> None:
    """An interrupted call that skips, then one that stops: the damaged recording stops it."""

    def broken(i: int) -> np.ndarray:
        if i == 120:
            raise KeyboardInterrupt
        if i == 7:
            raise UserError("7.x is damaged")
        return np.zeros(SHAPE, np.uint8)

    with pytest.raises(KeyboardInterrupt):
        collect(source(150, broken), on_error="skip", scratch=tmp_path)
    with pytest.raises(UserError, match=r"7.x is damaged"):
        collect(source(150, broken), on_error="stop", scratch=tmp_path)


@pytest.mark.parametrize("damage", ["sample", "note", "bytes", "samples gone"])
def test_what_a_crash_left_half_written_is_read_again(damage: str, tmp_path: Path) -> None:
    whole = np.array(collect(source(150), scratch=tmp_path).x_TNCHW)
    folder = next(tmp_path.iterdir())
    if damage == "sample":  # a sample whose note was not written any more
        with (folder / "samples.u8").open("ab") as file:
            file.write(b"\xff" * 100)
    elif damage == "note":
        text = (folder / "notes.jsonl").read_text()
        (folder / "notes.jsonl").write_text(text[:-20])
    elif damage == "bytes":
        (folder / "notes.jsonl").write_bytes(b"\x00" * 500)
    else:
        (folder / "samples.u8").write_bytes(b"")
    assert (collect(source(150), scratch=tmp_path).x_TNCHW == whole).all()


def test_other_files_or_settings_begin_anew(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("1")
    stamps = {stamp([path], "x"), stamp([path], "y")}
    path.write_text("22")
    stamps.add(stamp([path], "x"))
    assert len(stamps) == 3
    collect(source(5), scratch=tmp_path / "s")
    black = replace(source(5, lambda i: np.zeros(SHAPE, np.uint8)), stamp="1" * 64)
    assert not collect(black, scratch=tmp_path / "s").x_TNCHW.any()


def test_stop_skip_and_nothing_left(tmp_path: Path) -> None:
    def broken(i: int) -> np.ndarray:
        if i % 3 == 1:
            raise UserError(f"/somewhere/{i}.x is damaged")
        return np.full(SHAPE, i, np.uint8)

    holed = replace(source(9, broken), root=Path("/somewhere"), y_N=np.array([0, 0, 2, 0, 1, 2, 0, 1, 1]))
    with pytest.raises(UserError, match=r"/somewhere/1.x is damaged \(on_error: skip leaves"):
        collect(holed)
    for scratch in (None, tmp_path):
        found = collect(holed, on_error="skip", scratch=scratch)
        assert found.index_N is not None and found.index_N.tolist() == [0, 2, 3, 5, 6, 8]
        assert found.x_TNCHW[0, :, 0, 0, 0].tolist() == [0, 2, 3, 5, 6, 8] and found.y_N.tolist() == [0, 2, 0, 2, 0, 1]
        assert found.info["skipped"][1] == {"name": "4.x", "reason": "4.x is damaged"}
    with pytest.raises(UserError, match="all recordings of the class b are damaged; provide others"):
        collect(replace(holed, y_N=(np.arange(9) % 3 == 1).astype(int)), on_error="skip")
    with pytest.raises(UserError, match=r"all 9 recordings are damaged, the first 0.x: 0.x is damaged"):
        collect(replace(holed, read=broken_always), on_error="skip")


def broken_always(i: int) -> tuple[np.ndarray, int]:
    raise UserError(f"/somewhere/{i}.x is damaged")


def test_a_sample_of_another_shape_is_our_own_mistake() -> None:
    with pytest.raises(ValueError, match=r"0.x: uint8\[1\], promised were uint8\[2, 2, 8, 8\]"):
        collect(source(3, lambda i: np.zeros(1, np.uint8)))


def test_samples_are_made_square(tmp_path: Path) -> None:
    plain = collect(source(5, shape=(2, 1, 3, 5)))
    assert plain.x_TNCHW.shape == (2, 5, 1, 5, 5) and plain.info["padded_from"] == [3, 5]
    assert (plain.x_TNCHW[:, 4, :, :3] == np.random.default_rng(4).integers(0, 256, (2, 1, 3, 5))).all()
    assert not plain.x_TNCHW[..., 3:, :].any()
    assert (collect(source(5, shape=(2, 1, 3, 5)), scratch=tmp_path).x_TNCHW == plain.x_TNCHW).all()


@pytest.mark.parametrize("text", ["plain", 'quote " and \\ and ü'])
def test_the_streamed_file_is_the_one_that_safetensors_writes(text: str, tmp_path: Path) -> None:
    samples = collect(source(30))
    chosen = np.array([3, 4, 9, 20, 29])
    made = write_split(samples.x_TNCHW, chosen, samples.y_N[chosen], chosen * 2, {"dataset": text, "n": 1.5}, tmp_path / "a")
    assert not made.x_TNCHW.flags.owndata and (made.x_TNCHW == samples.x_TNCHW[:, chosen]).all()
    save_split(made, tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert load_split(tmp_path / "a").info == made.info and len(made.info["samples_sha256"]) == 64


def test_memory_does_not_grow_with_the_set(tmp_path: Path) -> None:
    """Ten times the recordings, the same peak: samples wait on the disk, two hundred at a time at most."""
    shape, peaks = (4, 2, 32, 32), []
    one = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    for count in (300, 3000):

        def read(i: int) -> np.ndarray:
            sample = one.copy()
            sample[0, 0, 0, :4] = np.frombuffer(np.int32(i).tobytes(), np.uint8)
            return sample

        tracemalloc.start()
        found = collect(source(count, read, shape), scratch=tmp_path / str(count))
        chosen = np.flatnonzero(np.arange(count) % 4)
        write_split(found.x_TNCHW, chosen, found.y_N[chosen], chosen, {}, tmp_path / f"{count}.safetensors")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert (tmp_path / "3000.safetensors").stat().st_size > 18e6
    assert peaks[1] < peaks[0] + 3e6  # notes on 2700 more recordings
    assert peaks[1] < 10e6
