"""The folds of the N-MNIST experiment: every recording is tested once, by a network that never saw it."""

import numpy as np
import pytest

from experiments import nmnist_folds
from experiments._saccades import held_still
from snn5.config import Train
from snn5.datasets import Split
from snn5.errors import UserError


def whole(n: int = 230) -> Split:
    y_N = np.arange(n) % 7  # classes of unequal size
    x_TNCHW = np.zeros((3, n, 2, 4, 4), np.uint8)
    x_TNCHW[0, :, 0, 0, 0] = np.arange(n)
    return Split(x_TNCHW=x_TNCHW, y_N=y_N, index_N=np.arange(n), info={"dataset": "nmnist", "num_classes": 7})


def test_folds_are_stratified_and_of_equal_size() -> None:
    data = whole()
    fold_N = nmnist_folds.folds(data.y_N)
    sizes = np.bincount(fold_N, minlength=5)
    assert sizes.sum() == 230 and sizes.max() - sizes.min() <= 2
    for label in range(7):
        of_class = np.bincount(fold_N[data.y_N == label], minlength=5)
        assert of_class.max() - of_class.min() <= 1
    assert (fold_N == nmnist_folds.folds(data.y_N)).all()
    assert (fold_N != nmnist_folds.folds(data.y_N, seed=6)).any()


def test_each_recording_is_tested_once_and_never_by_who_saw_it() -> None:
    data = whole()
    fold_N = nmnist_folds.folds(data.y_N)
    tested = []
    for fold in range(5):
        splits = nmnist_folds.split_of(data, fold_N, fold)
        sides = [set(part.index_N.tolist()) for part in (splits.train, splits.val, splits.test)]
        assert not (sides[0] & sides[1] or sides[0] & sides[2] or sides[1] & sides[2])
        assert set.union(*sides) == set(range(230))
        for part in (splits.train, splits.val, splits.test):
            assert part.x_TNCHW[0, :, 0, 0, 0].tolist() == part.index_N.tolist() and (part.y_N == part.index_N % 7).all()
        tested += list(sides[2])
    assert sorted(tested) == list(range(230))


def test_the_recipes_are_valid_and_share_what_is_not_theirs() -> None:
    recipes = nmnist_folds.families()
    assert {"sew_resnet", "spikingformer", "hsvt", "dta", "staa", "glif_resnet"} <= set(recipes)
    assert all(isinstance(recipe, Train) for recipe in recipes.values())
    assert len({(r.loss, r.batch_size, r.label_smoothing, r.rotate_degrees) for r in recipes.values()}) == 1
    assert {name for name, recipe in recipes.items() if recipe.lr != 5e-3} == {"hsvt", "staa_still"}


def test_only_the_families_that_say_so_see_the_recordings_held_still() -> None:
    changes = {name: nmnist_folds.change_of(name) for name in nmnist_folds.families()}
    assert {name for name, change in changes.items() if change is held_still} == {"staa_still"}
    assert all(change is None for name, change in changes.items() if name != "staa_still")


def test_an_unknown_family_is_refused_before_any_work() -> None:
    with pytest.raises(UserError, match="unknown family 'spikingfromer'; did you mean spikingformer"):
        nmnist_folds.main(["spikingfromer"])
