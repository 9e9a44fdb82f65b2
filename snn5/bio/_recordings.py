"""The events of the pipeline's data set at the liquid's own time step: the same recordings, the same splits, more and shorter slices."""

from dataclasses import replace

import torch

from snn5.bio._features import window_counts
from snn5.config import Data
from snn5.datasets import Splits, load
from snn5.errors import UserError

SOUNDS = ("audio_folder", "heidelberg_cochlea")
IN_COLUMNS = (*SOUNDS, "shd", "ssc")  # a recording's slices lie side by side, in columns: here in one
SACCADES = 3  # of a recording, by the simulated camera as by N-MNIST's real one


def steps_of(data: Data, dt_ms: float) -> int:
    """T: steps of `dt_ms` in a recording; in one of fixed length, so many as fill it."""
    if data.binning.by == "time" and data.binning.size > 0:
        return max(1, round(data.time_steps * data.binning.size / (1000 * dt_ms)))
    if data.dataset in SOUNDS:
        return max(1, round(data.cochlea.duration_ms / dt_ms))
    return max(1, round(SACCADES * data.camera.saccade_ms / dt_ms))


def finer(data: Data, coarse: Splits, dt_ms: float) -> Splits:
    """Load the recordings again, cut into slices of `dt_ms`, and check them against the splits that every other phase uses.

    Args:
        data: the settings that `coarse` was made with.
        coarse: the splits of P7.2.
        dt_ms: length of a slice, > 0.

    Raises:
        UserError: another sample or another number of events of a pixel than in `coarse`.
    """
    fixed = data.binning.by == "time" and data.binning.size > 0
    columns = 1 if data.dataset in IN_COLUMNS else data.binning.columns
    fine = load(
        data.dataset,
        time_steps=steps_of(data, dt_ms),
        val_fraction=data.val_fraction,
        test_fraction=data.test_fraction,
        split_seed=data.split_seed,
        camera=data.camera,
        binning=replace(data.binning, size=round(1000 * dt_ms) if fixed else data.binning.size, columns=columns),
        augment=data.augment,
        folder=data.folder,
        cochlea=data.cochlea,
        on_error=data.on_error,
    )
    for side in ("train", "val", "test"):
        ours, theirs = getattr(fine, side), getattr(coarse, side)
        remedy = "make it new with `dvc repro p7_data`"
        if ours.info["split_sha256"] != theirs.info["split_sha256"]:
            raise UserError(f"the {side} split in data/p7_data/events is not that of {data.dataset} with these settings; {remedy}")
        sums = [window_counts(torch.from_numpy(split.x_TNCHW)) for split in (ours, theirs)]
        if sums[0].shape != sums[1].shape:  # a sound's coarse slices lie side by side, too
            sums = [counts.sum(-1) for counts in sums]
        if int(theirs.x_TNCHW.max(initial=0)) < 255 and not torch.equal(*sums):  # counts end at 255, and sums of ended ones may differ
            raise UserError(f"the {side} events in data/p7_data/events are not those of {data.dataset} with these settings; {remedy}")
    return fine
