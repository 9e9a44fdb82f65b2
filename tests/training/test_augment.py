"""Augmentations moved by hand; all steps of a sample alike; draws only where something is switched on."""

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from snn5.config import Train
from snn5.training import Affine, Augmentation, Cutout, Elastic, Flip, Shift
from snn5.training._augment import augmentations_of, augmented

ALL = [Flip(), Affine(30.0, 0.2), Affine(0.0, 0.5), Elastic(1.0), Shift(2), Cutout(3)]
EACH = pytest.mark.parametrize("augment", ALL, ids=repr)
SETTINGS = Train(model="m", epochs=2, shift_pixels=0)


def draws(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def moves(row: int, column: int, pixels: int) -> torch.Generator:
    """A generator whose first draw of one sample's move is (row, column), each from 0 to 2 `pixels`."""
    for seed in range(10000):
        generator = torch.Generator().manual_seed(seed)
        if torch.randint(0, 2 * pixels + 1, (1, 2), generator=generator).tolist() == [[row, column]]:
            return torch.Generator().manual_seed(seed)
    raise RuntimeError("no such seed")


# --- what all have in common


@EACH
def test_all_steps_of_a_sample_are_changed_alike(augment: Augmentation) -> None:
    x_NCHW = 1 + torch.rand(20, 2, 6, 6, generator=draws())
    out = augment(x_NCHW.expand(3, *x_NCHW.shape), draws(1))
    assert out.shape == (3, 20, 2, 6, 6) and out.is_contiguous()
    assert torch.equal(out[0], out[1]) and torch.equal(out[0], out[2])
    assert sum(not torch.equal(a, b) for a, b in zip(out[0], x_NCHW, strict=True)) >= 5
    both = torch.stack([x_NCHW, 2 * x_NCHW])  # steps differ: each keeps its own content
    assert torch.allclose(augment(both, draws(1))[1], 2 * out[0])


@EACH
def test_samples_are_changed_differently(augment: Augmentation) -> None:
    one = 1 + torch.rand(1, 1, 6, 6, generator=draws())
    out = augment(one.expand(1, 30, 1, 6, 6), draws(1))
    assert len({tuple(x.flatten().tolist()) for x in out[0]}) >= (2 if augment == Flip() else 8)


@EACH
def test_the_generators_and_nobody_elses(augment: Augmentation) -> None:
    x_TNCHW = torch.rand(2, 8, 1, 4, 4, generator=draws())
    before, state = x_TNCHW.clone(), torch.get_rng_state()
    torch.use_deterministic_algorithms(True)
    try:
        assert torch.equal(augment(x_TNCHW, draws(5)), augment(x_TNCHW, draws(5)))
    finally:
        torch.use_deterministic_algorithms(False)
    assert not torch.equal(augment(x_TNCHW, draws(5)), augment(x_TNCHW, draws(6)))
    assert torch.equal(x_TNCHW, before) and torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    ("change", "chosen"),
    [
        ({}, []),
        ({"shift_pixels": 2}, [Shift(2)]),
        ({"flip": True}, [Flip()]),
        ({"rotate_degrees": 10.0}, [Affine(10.0, 0.0)]),
        ({"zoom": 0.2}, [Affine(0.0, 0.2)]),
        ({"shear_degrees": 5.0}, [Affine(0.0, 0.0, 5.0)]),
        ({"elastic_pixels": 1.5, "shift_pixels": 1, "zoom": 0.1}, [Affine(0.0, 0.1), Elastic(1.5), Shift(1)]),
        ({"cutout": 4, "shift_pixels": 1, "flip": True, "zoom": 0.1}, [Flip(), Affine(0.0, 0.1), Shift(1), Cutout(4)]),
    ],
)
def test_what_params_switch_on(change: dict[str, Any], chosen: list[Augmentation]) -> None:
    assert augmentations_of(replace(SETTINGS, **change)) == chosen


# --- sequences without an image


def test_a_sequence_is_augmented_as_the_picture_of_its_channels_and_steps() -> None:
    """A shift moves a sound in frequency (channels) and in time (steps); nothing is moved from sample to sample."""
    x_TNCHW = torch.rand(6, 40, 5, 1, 1, generator=draws())
    out = augmented(x_TNCHW, [Shift(1)], draws(3))
    seen = set()
    for n in range(40):
        picture = x_TNCHW[:, n, :, 0, 0]
        moves = [
            (dt, dc)
            for dt in (-1, 0, 1)
            for dc in (-1, 0, 1)
            if torch.equal(out[:, n, :, 0, 0], torch.nn.functional.pad(picture, (1, 1, 1, 1))[1 - dt : 7 - dt, 1 - dc : 6 - dc])
        ]
        assert len(moves) == 1
        seen.update(moves)
    assert len(seen) == 9
    picture = x_TNCHW.permute(3, 1, 4, 2, 0)
    both = [Affine(0.0, 0.2), Cutout(2)]
    expected = both[1](both[0](picture, generator := draws(4)), generator)
    assert torch.equal(augmented(x_TNCHW, both, draws(4)), expected.permute(4, 1, 3, 0, 2))
    assert torch.equal(augmented(x_TNCHW, [], draws()), x_TNCHW)


def test_images_are_augmented_as_they_are() -> None:
    x_TNCHW = torch.rand(2, 7, 1, 3, 4, generator=draws())
    assert torch.equal(augmented(x_TNCHW, [Flip(), Shift(1)], draws(1)), Shift(1)(Flip()(x_TNCHW, generator := draws(1)), generator))


# --- flip


def test_flip_turns_half_of_the_samples() -> None:
    x_TNCHW = torch.arange(12.0).reshape(1, 1, 1, 3, 4).expand(2, 400, 1, 3, 4)
    out = Flip()(x_TNCHW, draws())
    turned = (out != x_TNCHW).flatten(2).any(2)
    assert torch.equal(out[turned], x_TNCHW.flip(-1)[turned]) and 150 < int(turned[0].sum()) < 250


# --- turn and zoom


class Drawn:
    """In place of a generator: says what is drawn (from 0 to 1)."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, angle: float, zoom: float) -> None:
        monkeypatch.setattr(torch, "rand", lambda *shape, generator: torch.tensor([[angle], [zoom]]).expand(shape))


def turned(monkeypatch: pytest.MonkeyPatch, augment: Affine, x_HW: Tensor, angle: float, zoom: float = 0.5) -> Tensor:
    Drawn(monkeypatch, angle, zoom)
    return augment(x_HW[None, None, None], draws())[0, 0, 0]


@pytest.mark.parametrize("size", [4, 5])
def test_a_quarter_turn_is_rot90(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    x_HW = torch.rand(size, size, generator=draws())
    assert torch.allclose(turned(monkeypatch, Affine(90.0), x_HW, 1.0), torch.rot90(x_HW, 1), atol=1e-5)
    assert torch.allclose(turned(monkeypatch, Affine(90.0), x_HW, 0.0), torch.rot90(x_HW, -1), atol=1e-5)
    assert torch.allclose(turned(monkeypatch, Affine(180.0), x_HW, 1.0), torch.rot90(x_HW, 2), atol=1e-5)
    assert torch.allclose(turned(monkeypatch, Affine(180.0, 0.9), x_HW, 0.5, 0.5), x_HW, atol=1e-5)  # the middle of both ranges: stays


def test_a_quarter_turn_of_an_image_that_is_not_square(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pixels keep their shape: the middle 2 x 2 of 2 x 4 turn, the rest leaves at top and bottom."""
    x_HW = torch.tensor([[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]])
    out = turned(monkeypatch, Affine(90.0), x_HW, 1.0)
    assert torch.allclose(out, torch.tensor([[0.0, 3.0, 7.0, 0.0], [0.0, 2.0, 6.0, 0.0]]), atol=1e-5)


def test_zoom_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scale 1.5 and 0.5 of a point in the middle of 5 x 5, bilinear: at distance d (input pixels) it weighs 1 - d."""
    x_HW = torch.zeros(5, 5)
    x_HW[2, 2] = 1.0
    larger = turned(monkeypatch, Affine(0.0, 0.5), x_HW, 0.5, 1.0)  # one output pixel is 2/3 of an input pixel
    assert larger[2].tolist() == pytest.approx([0.0, 1 / 3, 1.0, 1 / 3, 0.0], abs=1e-5)
    smaller = turned(monkeypatch, Affine(0.0, 0.5), torch.ones(5, 5), 0.5, 0.0)  # one output pixel is two: 2.5 of 5 remain
    assert smaller[2].tolist() == pytest.approx([0.0, 1.0, 1.0, 1.0, 0.0], abs=1e-5)


def test_angles_and_scales_fill_their_range() -> None:
    """A bright pixel right of the middle moves along an arc of at most 40 degrees either way."""
    x_TNCHW = torch.zeros(1, 200, 1, 41, 41)
    x_TNCHW[..., 20, 35] = 1.0
    out = Affine(40.0)(x_TNCHW, draws())[0, :, 0]
    place = out.flatten(1).argmax(1)
    row, column = place // 41 - 20, place % 41 - 20
    angle = torch.rad2deg(torch.atan2(-row.float(), column.float()))
    assert 36 < angle.max() < 43 and -43 < angle.min() < -36 and abs(angle.mean()) < 5
    assert ((row.square() + column.square()).sqrt() - 15).abs().max() < math.sqrt(2)


# --- elastic


def test_a_field_of_equal_moves_is_a_shift(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every control point reads one pixel further right and two further down: what comes in at those sides is zero."""
    x_NCHW = torch.rand(2, 3, 11, 16, generator=draws())
    both = torch.tensor([1.0, 2.0])[None, :, None, None]  # x, y
    monkeypatch.setattr(torch, "randn", lambda n, two, h, w, generator: both.expand(n, two, h, w) / 2)
    out = Elastic(2.0)(x_NCHW[None], draws())[0]
    assert torch.allclose(out[..., :-2, :-1], x_NCHW[..., 2:, 1:], atol=1e-5)
    assert out[..., -2:, :].abs().max() < 1e-5 and out[..., -1].abs().max() < 1e-5


def test_an_elastic_field_moves_by_its_pixels_and_smoothly() -> None:
    """A ramp reads out where each pixel came from: moves of 1.5 pixels at the control points, neighbours moving alike."""
    ramp = torch.arange(33.0).expand(1, 200, 1, 33, 33)
    moved = (Elastic(1.5)(ramp, draws()) - ramp)[0, :, 0]
    points = moved[:, 8:25:8, 8:25:8]  # control points away from the border
    assert abs(points.std() - 1.5) < 0.1 and abs(points.mean()) < 0.1
    steps = moved[:, 8:25, 9:25] - moved[:, 8:25, 8:24]
    assert steps.std() < 0.5 < moved[:, 8:25, 16:25].sub(moved[:, 8:25, 8:17]).std()


# --- cutout


def test_cutout_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """A square of 3 about (0, 2) of 4 x 5: rows 0 to 1, columns 1 to 3; one of 2 about (3, 4): rows 2 to 3, columns 3 to 4."""
    for pixels, middle, rows, columns in ((3, (0, 2), slice(0, 2), slice(1, 4)), (2, (3, 4), slice(2, 4), slice(3, 5))):
        drawn = iter(middle)
        monkeypatch.setattr(torch, "randint", lambda *_a, generator, left=drawn: torch.tensor([next(left)]))
        expected = torch.ones(4, 5)
        expected[rows, columns] = 0.0
        assert torch.equal(Cutout(pixels)(torch.ones(2, 1, 2, 4, 5), draws()), expected.expand(2, 1, 2, 4, 5))


# --- shift, by hand: row 0, column 0 of the draw is a move by +`pixels` (down, right)


IMAGE = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]])


@pytest.mark.parametrize(
    ("row", "column", "moved"),
    [
        (1, 1, [[1, 2, 3], [4, 5, 6], [7, 8, 9]]),  # the middle of 0..2: stays
        (0, 1, [[0, 0, 0], [1, 2, 3], [4, 5, 6]]),  # down
        (2, 1, [[4, 5, 6], [7, 8, 9], [0, 0, 0]]),  # up
        (1, 0, [[0, 1, 2], [0, 4, 5], [0, 7, 8]]),  # right
        (1, 2, [[2, 3, 0], [5, 6, 0], [8, 9, 0]]),  # left
        (0, 2, [[0, 0, 0], [2, 3, 0], [5, 6, 0]]),  # down and left
    ],
)
def test_moves_by_hand(row: int, column: int, moved: list[list[int]]) -> None:
    out = Shift(1)(IMAGE[None, None, None], moves(row, column, 1))
    assert out.shape == (1, 1, 1, 3, 3) and out[0, 0, 0].tolist() == moved


def test_a_move_of_two_pixels_on_an_image_that_is_not_square() -> None:
    wide = torch.arange(1.0, 9.0).reshape(1, 1, 1, 2, 4)  # 1 2 3 4 / 5 6 7 8
    assert Shift(2)(wide, moves(2, 0, 2))[0, 0, 0].tolist() == [[0, 0, 1, 2], [0, 0, 5, 6]]
    assert Shift(2)(wide, moves(3, 4, 2))[0, 0, 0].tolist() == [[7, 8, 0, 0], [0, 0, 0, 0]]


def move_of(out: Tensor, source: Tensor, pixels: int) -> tuple[int, int]:
    """The one (down, right) that turns `source` into `out`, zeros coming in."""
    height, width = source.shape
    found = []
    for down in range(-pixels, pixels + 1):
        for right in range(-pixels, pixels + 1):
            moved = torch.zeros_like(source)
            for r in range(height):
                for c in range(width):
                    if 0 <= r - down < height and 0 <= c - right < width:
                        moved[r, c] = source[r - down, c - right]
            if torch.equal(moved, out):
                found.append((down, right))
    assert len(found) == 1
    return found[0]


def test_all_steps_and_channels_of_a_sample_move_alike_and_samples_differ() -> None:
    x_TNCHW = 1 + torch.rand(3, 40, 2, 5, 4, generator=draws())
    out = Shift(2)(x_TNCHW, draws(1))
    assert out.shape == x_TNCHW.shape and out.is_contiguous()
    moved = [move_of(out[0, n, 0], x_TNCHW[0, n, 0], 2) for n in range(40)]
    assert len(set(moved)) > 10  # of 25
    assert {d for d, _ in moved} == {r for _, r in moved} == {-2, -1, 0, 1, 2}
    for t in range(3):
        for c in range(2):
            assert [move_of(out[t, n, c], x_TNCHW[t, n, c], 2) for n in range(0, 40, 8)] == moved[::8]


def test_shear_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """At 45 degrees the row k below the middle reads k columns further right: the middle column becomes a diagonal."""
    monkeypatch.setattr(torch, "rand", lambda *shape, generator: torch.tensor([[0.5], [0.5], [1.0]]).expand(shape))
    x_HW = torch.zeros(5, 5)
    x_HW[:, 2] = 1
    out = Affine(0.0, 0.0, 45.0)(x_HW[None, None, None], torch.Generator())[0, 0, 0]
    assert torch.allclose(out, torch.eye(5).flip(1), atol=1e-5)
