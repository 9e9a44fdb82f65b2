"""The study as a whole: which trainings, which verdicts."""

from collections import Counter, defaultdict
from dataclasses import replace

import pytest
import torch
from small_learners import SPLITS, settings

from snn5.bio.reproducibility import MANNERS, TRACKS, Job, Outcome, Study, learners, studies

STUDY = Study(target=0.75, code="poisson", seeds=[0, 1, 2], runs=2)
LABEL_N = torch.tensor([0, 1, 2, 3])


def made(accuracy: dict[str, float], bits: str = "same") -> dict[str, dict[str, Outcome]]:
    """Outcomes of every job: `accuracy` by group (default 1), hashes equal in a group of seeds, `bits` in R0's."""
    found: dict[str, dict[str, Outcome]] = defaultdict(dict)
    for job in [*STUDY.jobs("bio", "x"), Job("bio", "bits", "other process", "poisson", next(STUDY.jobs("bio", "x")).draws)]:
        right = round(4 * accuracy.get(job.name if job.group == "seeds" else job.group, 1.0))
        prediction_N = torch.where(torch.arange(4) < right, LABEL_N, (LABEL_N + 1) % 4)
        found[job.group][job.name] = Outcome(prediction_N, LABEL_N, 0.5, {"weights": bits if job.group == "bits" else "same"})
    return found


def test_every_training_once() -> None:
    jobs = list(STUDY.jobs("bio", "x"))
    assert len({(job.group, job.name) for job in jobs}) == len(jobs)
    groups = Counter(job.group.split("/")[0] for job in jobs)
    assert groups == {"seeds": 3, "bits": 5, "sources": 12, "codes": 4}
    assert {job.code for job in jobs if job.group == "codes/ttfs"} == {"ttfs"}
    first = next(job for job in jobs if job.group == "seeds")
    assert {job.draws for job in jobs if job.group == "bits"} == {first.draws}
    without = replace(STUDY, sources=False)
    assert {job.group for job in without.jobs("sg", "x")} == {"seeds", "bits"}


def test_verdicts_follow_the_figures() -> None:
    summary, claims, details = STUDY.judge(made({"seed2": 0.5}), "bio")
    assert {row["name"]: row["met"] for row in claims} == {
        "bio_bits": True,
        "bio_success": False,  # 1, 1, 0.5 against 0.75
        "bio_proved": False,
        "bio_steady": False,
        "bio_spread": False,
        "bio_agreement": False,
    }
    assert summary["bio/r1/successes"] == 2 and summary["verdict/bio_bits"] == 1.0 and summary["bio/target"] == 0.75
    assert details["differs"] == {name: [] for name in MANNERS}
    alike, _, _ = STUDY.judge(made({}), "bio")
    assert [alike[f"verdict/bio_{name}"] for name in ("success", "steady", "spread", "agreement", "proved")] == [1, 1, 1, 1, 0]


def test_one_other_bit_and_r0_is_missed() -> None:
    summary, claims, details = STUDY.judge(made({}, bits="other"), "bio")
    assert summary["bio/r0/bits"] == 0.0 and not claims[0]["met"]
    assert details["differs"]["interrupted"] == ["weights"]


def test_sources_stand_by_their_share() -> None:
    outcomes = made({})
    for group in outcomes:
        if group == "seeds" or (group.startswith("sources/") and "noise" in group):
            last = list(outcomes[group])[-1]
            outcomes[group][last] = outcomes[group][last]._replace(prediction_N=(LABEL_N + 1) % 4)
    summary, _, details = STUDY.judge(outcomes, "bio")
    # Variances 1/2 of two runs each, 1/3 of the three seeds: noise (1/2 + 1/2 + 1/2 + 1/3) / 4, others (0 + 0 + 0 - 1/6) / 4, over 1/3.
    assert summary["bio/sources/noise/share"] == pytest.approx(1.375) and summary["bio/sources/init/share"] == pytest.approx(-0.125)
    assert next(iter(details["sources"])) == "noise"
    assert summary["bio/codes/ttfs/test/acc"] == 1.0


def test_tracks_of_the_settings() -> None:
    config = settings()
    own = config.p8_reproducibility
    made_learners, asked = learners(own, config.p8, SPLITS), studies(own)
    assert tuple(made_learners) == tuple(asked) == TRACKS == ("bio", "sg")
    assert made_learners["bio"].settings.neurons == own.neurons and made_learners["bio"].settings.tau_m_ms == config.p8.tau_m_ms
    assert (asked["bio"].target, asked["sg"].target) == (own.bio_target, own.sg_target)
    assert [asked[track].sources for track in TRACKS] == [True, False]
