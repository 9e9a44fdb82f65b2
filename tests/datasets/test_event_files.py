"""Every event format: read by hand-made bytes, by a second reader where there is one, and damaged in every place."""

import hashlib
import random
import zipfile
from collections.abc import Callable
from pathlib import Path

import event_files as files
import numpy as np
import pytest

from snn5.datasets import Recording, read_recording
from snn5.datasets._root import configured_root
from snn5.errors import UserError

EACH = pytest.mark.parametrize("suffix", sorted(files.WRITERS))
NO_LENGTH = {".bin": (0, 5), ".dat": (37, 8), ".aedat": (58, 8)}  # bytes of header and of an event: nothing in them tells their number


def same(found: Recording, events: files.Events) -> bool:
    return all((getattr(found, name) == values).all() for name, values in zip("txyp", events, strict=True))


@EACH
@pytest.mark.parametrize("count", [1, 2, 500])
def test_what_was_written_is_read(suffix: str, count: int, tmp_path: Path) -> None:
    events = files.some_events(count)
    found = read_recording(files.write(tmp_path / f"a{suffix}", events))
    assert len(found) == count and same(found, events)
    assert {getattr(found, name).dtype for name in "txyp"} == {np.dtype(np.int64)}
    assert found.sensor == {".dat": (40, 60), ".aedat4": (40, 60), ".aedat": (128, 128), ".mat": (60, 60)}.get(suffix)


@pytest.mark.parametrize("method", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("closed", [True, False])
def test_every_aedat4_compression(method: int, closed: bool, tmp_path: Path) -> None:
    events, path = files.some_events(50), tmp_path / "a.aedat4"
    path.write_bytes(files.aedat4_bytes(events, method=method, closed=closed, packets=4))
    assert same(read_recording(path), events)


def test_a_davis_by_hand(tmp_path: Path) -> None:
    path, events = tmp_path / "a.aedat", files.some_events(20)
    path.write_bytes(files.aedat2_bytes(events, chip="eu.seebetter.ini.chips.davis.DAVIS240C"))
    found = read_recording(path)
    assert same(found, events) and found.sensor == (180, 240)
    whole = path.read_bytes()
    frame = (1 << 31 | 5).to_bytes(4, "big") + bytes(4)  # a sample of the frame camera among the events
    path.write_bytes(whole + frame)
    assert same(read_recording(path), events)
    path.write_bytes(files.aedat2_bytes(events, chip="ch.unizh.ini.jaer.chip.cochlea.CochleaAMS1c"))
    with pytest.raises(UserError, match=r"a.aedat is damaged: the camera 'ch.unizh.*CochleaAMS1c' is not known here; only those of"):
        read_recording(path)


def test_clocks_that_run_over_are_unrolled(tmp_path: Path) -> None:
    t, at = np.array([2**32 - 5, 3, 7]), np.zeros(3, int)
    for suffix in (".dat", ".aedat"):
        path = tmp_path / f"a{suffix}"
        path.write_bytes(files.WRITERS[suffix]((t, at, at, at)))
        assert read_recording(path).t.tolist() == [2**32 - 5, 2**32 + 3, 2**32 + 7]
    path = tmp_path / "a.bin"  # here a row of 240 says so: 8192 us more from this event on
    path.write_bytes(files.bin_bytes((np.array([8000, 9, 10]), at, np.array([0, 240, 3]), at)))
    found = read_recording(path)
    assert (found.t.tolist(), found.y.tolist()) == ([8000, 8202], [0, 3])


def test_bin_is_what_tonic_reads(tmp_path: Path) -> None:
    from tonic.io import read_mnist_file

    t, x, y, p = files.some_events(400, seed=3)
    y[np.random.default_rng(1).integers(0, 400, 20)] = 240
    path = files.write(tmp_path / "a.bin", (t, x, y, p))
    theirs = read_mnist_file(str(path), dtype=np.dtype([("x", int), ("y", int), ("t", int), ("p", int)]))
    assert len(theirs) < 400 and same(read_recording(path), tuple(theirs[name] for name in "txyp"))  # type: ignore[arg-type]


def test_a_dvs128_is_what_tonic_reads_but_for_the_mirrors(tmp_path: Path) -> None:
    from tonic.io import get_aer_events_from_file, read_aedat_header_from_file

    path = files.write(tmp_path / "a.aedat", files.some_events(60))
    version, start, _ = read_aedat_header_from_file(str(path))  # tonic 1.7's read_dvs_128 expects two values of it, and fails
    theirs, ours = get_aer_events_from_file(str(path), version, start), read_recording(path)
    address = theirs["address"].astype(int)
    assert (ours.t == theirs["timeStamp"]).all() and (ours.p == 1 - (address & 1)).all()
    assert (ours.x == 127 - (address >> 1 & 127)).all() and (ours.y == 127 - (address >> 8 & 127)).all()


def test_dat_is_what_expelliarmus_reads(tmp_path: Path) -> None:
    from expelliarmus import Wizard

    path = files.write(tmp_path / "a.dat", files.some_events(300))
    theirs = Wizard(encoding="dat").read(path)
    assert same(read_recording(path), tuple(theirs[name] for name in "txyp"))  # type: ignore[arg-type]


def test_arrays_in_other_shapes(tmp_path: Path) -> None:
    t, x, y, p = files.some_events(9)
    np.savez(tmp_path / "signed.npz", t=t.astype(np.uint64), x=x.astype(np.int16), y=y.astype(np.uint8), p=2 * p - 1)
    assert same(read_recording(tmp_path / "signed.npz"), (t, x, y, p))
    (tmp_path / "a.npy").write_bytes(files.npy_bytes((t, x, y, p)))
    np.savez(tmp_path / "one.npz", events=np.load(tmp_path / "a.npy"))
    assert same(read_recording(tmp_path / "one.npz"), (t, x, y, p))


# --- damage


@EACH
def test_cut_off_at_every_byte(suffix: str, tmp_path: Path) -> None:
    """Every length but the whole is an error that names the file; formats without a length cut between two events aside."""
    events, path = files.some_events(8), tmp_path / f"a{suffix}"
    whole = files.write(path, events).read_bytes()
    start, size = NO_LENGTH.get(suffix, (0, len(whole)))
    assert (len(whole) - start) % size == 0
    for length in range(len(whole)) if len(whole) < 500 else random.Random(0).sample(range(len(whole)), 120):
        path.write_bytes(whole[:length])
        if suffix in NO_LENGTH and length > start and (length - start) % size == 0:
            kept = (length - start) // size
            assert same(read_recording(path), tuple(a[:kept] for a in events))  # type: ignore[arg-type]
            continue
        with pytest.raises(UserError, match=f"a{suffix}"):
            read_recording(path)


@EACH
def test_the_content_of_another_format(suffix: str, tmp_path: Path) -> None:
    for other, write in files.WRITERS.items():
        data = write(files.some_events(8)) + b"\xff"
        if other != suffix and not (suffix == ".bin" and len(data) % 5 == 0):
            (tmp_path / f"a{suffix}").write_bytes(data)
            with pytest.raises(UserError, match=f"a{suffix}"):
                read_recording(tmp_path / f"a{suffix}")


@EACH
def test_flipped_bytes_never_end_in_a_traceback(suffix: str, tmp_path: Path) -> None:
    """A changed byte may give another event, which no format can tell; it must not give anything but a recording or a named error."""
    path, draw = tmp_path / f"a{suffix}", random.Random(7)
    whole = files.WRITERS[suffix](files.some_events(40))
    refused = 0
    for _ in range(60):
        data = bytearray(whole)
        for place in draw.sample(range(len(data)), 3):
            data[place] ^= draw.randrange(1, 256)
        path.write_bytes(data)
        try:
            found = read_recording(path)
        except UserError as error:
            refused += 1
            assert f"a{suffix}" in str(error)
            continue
        assert len(found) <= 41 and set(np.unique(found.p)) <= {0, 1}
        if found.sensor:
            assert found.x.max() < found.sensor[1] and found.y.max() < found.sensor[0]
    assert refused > 0 or suffix == ".bin"


@EACH
def test_no_events(suffix: str, tmp_path: Path) -> None:
    path, none = tmp_path / f"a{suffix}", tuple(np.zeros(0, int) for _ in range(4))
    path.write_bytes(files.WRITERS[suffix](none))  # type: ignore[arg-type]
    with pytest.raises(UserError, match=rf"a{suffix} (holds no events|is truncated: 0 bytes)"):
        read_recording(path)
    path.write_bytes(b"")
    with pytest.raises(UserError, match=f"a{suffix} is truncated: 0 bytes"):
        read_recording(path)
    path.unlink()
    with pytest.raises(UserError, match=rf"a{suffix} cannot be read \(No such file or directory\)"):
        read_recording(path)


def exchanged_packet(data: bytes) -> bytes:
    """One packet replaced by another of the same length: only the table at the end can tell."""
    whole = files.aedat4_bytes(files.some_events(9), method=0)
    place = whole.index(b"EVTS", whole.index(b"</dv>"))
    vector = place + 4 + 10 + 4  # the identifier, a list of one field place with its two sizes, and the way back to it
    count = whole.index((3).to_bytes(4, "little"), vector)
    return whole[:count] + (2).to_bytes(4, "little") + whole[count + 4 :]


@pytest.mark.parametrize(
    ("suffix", "change", "message"),
    [
        (".dat", lambda d: d.replace(b"Version 2", b"Version 1"), "has version 1 of the format"),
        (".dat", lambda d: d[1:], "does not begin with a header of lines with %"),
        (".dat", lambda d: d.replace(bytes([12, 8]), bytes([14, 8]), 1), "byte 35 says events of type 14 with 8 bytes"),
        (".dat", lambda d: d.replace(b"Width 60", b"Width 10"), r"event \d+ of 12 has x=\d+, allowed are 0 to 9"),
        (".dat", lambda d: d[:-3], "the event at byte 125 is cut off"),
        (".aedat", lambda d: d.replace(b"DAT2", b"DAT3"), "it is AEDAT 3; convert it"),
        (".aedat", lambda d: d.replace(b"#!AER", b"#?AER"), "does not begin with #!AER-DAT2.0"),
        (".aedat", lambda d: d + bytes([0, 1, 0, 0, 0, 0, 0, 0]), "names no AEChip and its addresses go up to 0x10000"),
        (".aedat4", lambda d: d[:-1], "the table of packets at byte"),
        (".aedat4", lambda d: d.replace(b"EVTS</attr", b"OTHR</attr"), "its header describes no event stream"),
        (".aedat4", lambda d: d.replace(b">60<", b">10<"), r"event \d+ of 12 has x=\d+, allowed are 0 to 9"),
        (".aedat4", exchanged_packet, "is listed as"),
        (".npz", lambda d: d[:-30], "truncated or no .npz file"),
        (".h5", lambda d: d[:1000], "truncated or no .h5 file"),
    ],
)
def test_what_is_wrong_is_said(suffix: str, change: Callable[[bytes], bytes], message: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(change(files.WRITERS[suffix](files.some_events(12))))
    with pytest.raises(UserError, match=message):
        read_recording(path)


def test_arrays_that_are_no_events(tmp_path: Path) -> None:
    t, x, y, p = files.some_events(5)
    path = tmp_path / "a.npz"
    for arrays, message in (
        ({"t": t, "x": x, "y": y}, "it holds t, x, y; p missing; store four integer arrays"),
        ({"t": t / 1e6, "x": x, "y": y, "p": p}, r"t is float64\[5\]"),
        ({"t": t, "x": x, "y": y[:4], "p": p}, r"lengths differ \(t: 5, x: 5, y: 4, p: 5\)"),
        ({"t": t, "x": x, "y": y, "p": 3 * p + 1}, r"event \d of 5 has p=\d, allowed are 0 to 1"),
        ({"t": t, "x": x - 100, "y": y, "p": p}, r"event 0 of 5 has x=-\d+"),
        ({"t": np.full(5, 2**63, np.uint64), "x": x, "y": y, "p": p}, "does not fit into 64 bits"),
    ):
        np.savez(path, **arrays)  # type: ignore[arg-type]
        with pytest.raises(UserError, match=message):
            read_recording(path)
    np.save(tmp_path / "a.npy", np.stack([t, x, y, p], axis=1))
    with pytest.raises(UserError, match=r"an array of int64\[5, 4\] without named fields; store four"):
        read_recording(tmp_path / "a.npy")


def test_a_tactile_sensor_by_hand(tmp_path: Path) -> None:
    from scipy.io import savemat

    matrix = np.zeros((5, 3))  # two by two taxels
    matrix[3, 0], matrix[1, 1], matrix[2, 1], matrix[4] = 1, -1, 1, (0.000123, 0.5, 2.0)  # two at one time; nothing at the last
    savemat(tmp_path / "a.mat", {"spiketrain": matrix})
    found = read_recording(tmp_path / "a.mat")
    assert [found.t.tolist(), found.x.tolist(), found.y.tolist(), found.p.tolist()] == [
        [123, 500000, 500000],
        [1, 1, 0],
        [1, 0, 1],
        [1, 0, 1],
    ]
    assert found.sensor == (2, 2)
    for change, message in (
        ({"spiketrain": 2 * matrix}, "a.mat is damaged: spiketrain has values from -2.0 to 2.0; a taxel has -1, 0 or 1"),
        ({"spiketrain": matrix[1:]}, r"spiketrain is float64\[4, 3\], not numbers \[side\^2 \+ 1, events\]"),
        ({"spiketrain": np.vstack([matrix[:4], [[np.nan, 1, 2]]])}, "its times are no numbers of seconds"),
        ({"spiketrain": "text"}, "spiketrain is"),
        ({"other": matrix}, "a.mat is damaged: it has no matrix 'spiketrain'"),
        ({"spiketrain": 0 * matrix}, "a.mat holds no events"),
    ):
        savemat(tmp_path / "a.mat", change)
        with pytest.raises(UserError, match=message):
            read_recording(tmp_path / "a.mat")


class Trap:
    """What would run code if a pickle were loaded."""

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return (exec, ("raise SystemExit('executed')",))


def test_pickles_are_not_executed(tmp_path: Path) -> None:
    trap = np.array([Trap()], dtype=object)
    np.save(tmp_path / "a.npy", trap, allow_pickle=True)
    np.savez(tmp_path / "a.npz", t=trap, x=trap, y=trap, p=trap)
    for name in ("a.npy", "a.npz"):
        with pytest.raises(UserError, match="Object arrays cannot be loaded"):
            read_recording(tmp_path / name)


def test_members_of_an_archive_go_nowhere(tmp_path: Path) -> None:
    path = tmp_path / "in" / "a.npz"
    files.write(path, files.some_events(5))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("../../escaped.npy", files.npy_bytes(files.some_events(5)))
    assert len(read_recording(path)) == 5
    assert [p.name for p in tmp_path.rglob("*") if p.is_file()] == ["a.npz"]


def test_an_unknown_suffix(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"a.txt: event recordings end in .bin, .aedat, .aedat4, .dat, .npy, .npz, .h5"):
        read_recording(tmp_path / "a.txt")


# --- the real recordings

SAMPLES = (configured_root() or Path()) / "event_format_samples"
REAL = pytest.mark.skipif(not SAMPLES.is_dir(), reason="SNN5_DATA_ROOT/event_format_samples is not here")


@pytest.mark.data
@REAL
@pytest.mark.parametrize(
    ("name", "count", "first", "last", "sensor"),
    [  # counts and events as the packages aedat, expelliarmus, tonic and scipy read them
        ("sample.aedat4", 111954, (1605537493718345, 154, 204, 0), (1605537494308262, 88, 237, 1), (240, 320)),
        ("sample_ncars.dat", 2009, (0, 25, 8, 0), None, None),
        ("sample_nmnist.bin", 4325, (654, 7, 15, 1), None, None),
        ("sample_stmnist.mat", 2346, (196626, 5, 4, 0), (895744, 6, 4, 1), (10, 10)),
    ],
)
def test_real_recordings(name: str, count: int, first: tuple[int, ...], last: tuple[int, ...] | None, sensor: object) -> None:
    found = read_recording(SAMPLES / name)
    assert len(found) == count and found.sensor == sensor and (np.diff(found.t) >= 0).all()
    rows = [tuple(int(getattr(found, k)[i]) for k in "txyp") for i in (0, -1)]
    assert rows[0] == first and last in (None, rows[1])


@pytest.mark.data
@REAL
def test_real_recordings_by_second_readers() -> None:
    found = read_recording(SAMPLES / "sample.aedat4")
    digest = hashlib.sha256(b"".join(getattr(found, name).astype("<i8").tobytes() for name in "txyp")).hexdigest()
    # of the events as the package aedat 2.3 reads them, which tonic uses; it is not among the pinned packages
    assert digest == "c657d7ebb1942120808b26e0d6d07d1ae3d4b7578d56c0e2a12c9c59b5e5576f"
    from expelliarmus import Wizard
    from tonic.io import read_mnist_file

    theirs = Wizard(encoding="dat").read(SAMPLES / "sample_ncars.dat")
    assert same(read_recording(SAMPLES / "sample_ncars.dat"), tuple(theirs[name] for name in "txyp"))  # type: ignore[arg-type]
    theirs = read_mnist_file(str(SAMPLES / "sample_nmnist.bin"), dtype=np.dtype([("x", int), ("y", int), ("t", int), ("p", int)]))
    assert same(read_recording(SAMPLES / "sample_nmnist.bin"), tuple(theirs[name] for name in "txyp"))  # type: ignore[arg-type]


@pytest.mark.data
@REAL
@pytest.mark.parametrize("name", ["sample.aedat4", "sample_ncars.dat", "sample_nmnist.bin", "sample_stmnist.mat"])
def test_real_recordings_cut_off(name: str, tmp_path: Path) -> None:
    """At 100 places, the header's among them; between two events of a format without a length a shorter recording comes back."""
    whole, path, draw = (SAMPLES / name).read_bytes(), tmp_path / name, random.Random(0)
    complete = read_recording(SAMPLES / name)
    for length in [*draw.sample(range(200), 30), *draw.sample(range(len(whole)), 70)]:
        path.write_bytes(whole[:length])
        try:
            found = read_recording(path)
        except UserError as error:
            assert name in str(error)
            continue
        assert not name.endswith((".aedat4", ".mat")) and same(found, tuple(getattr(complete, k)[: len(found)] for k in "txyp"))  # type: ignore[arg-type]
