"""P8.3: neurons see five patterns while the gain of all their inputs grows fourfold and then falls to a sixteenth of that.

    python -m snn5.stages.p8_homeostasis

Variants: adaptive thresholds in the logarithm (`threshold`), the additive rule of the earlier experiments (`additive`), BCM on the weights
(`bcm`), thresholds and BCM (`both`), neither (`none`).
Claim, for the worst of 5 seeds: with adaptive thresholds the rate is back within 10 % of its target within 4000 steps after x4 and x1/4,
without any it never is; BCM's sliding threshold is within 5 % of the second moment of the rate; selectivity above 0.7; BCM is stable where
its loop gain is below 1 and not above it.
BCM alone holds a second moment, not a rate, and its weights follow a change of gain too slowly, or not at all once the neurons are silent.
Expected (5 seeds): back within 2000 steps both times, with and without BCM; the additive rule and BCM alone are not back after 12 000;
BCM's threshold 0.7 % from the second moment, selectivity 0.80 of at most 0.80. 15 s of CPU time.
Out: metrics.json, curves.csv.
"""

from collections import defaultdict

from snn5.bio.homeostasis import VARIANTS, stability_bound, trial, verdict
from snn5.parallel import Tick, run_jobs
from snn5.record import Record, Run
from snn5.stages._stage import Stage, main


def run(stage: Stage) -> Record:
    """Every variant with every seed; the variants of a seed share their random numbers."""
    settings = stage.config.p8_homeostasis

    def job(what: tuple[str, int], tick: Tick) -> Run:
        name, seed = what
        made = trial(settings, VARIANTS[name], stage.seed(seed))
        made.params |= {"group": name, "seed": seed}
        tick()
        return made

    jobs = [(name, seed) for name in VARIANTS for seed in settings.seeds]
    groups: dict[str, list[Run]] = defaultdict(list)
    for (name, _), made in zip(jobs, run_jobs(job, jobs, label=stage.name, total=1), strict=True):
        groups[name].append(made)
    bound = stability_bound()
    summary, claims = verdict(settings, groups, bound)
    runs = {f"{name}-seed{made.params['seed']}": made for name, own in groups.items() for made in own}
    samples = settings.steps // settings.pattern_steps // 4  # shows that the read-out is tested on after a change of gain
    details = {"claims": claims, "bound": bound, "n_test": samples, "target": settings.rate_per_ms, "first_steps": settings.first_steps}
    return Record(summary=summary, runs=runs, details=details | {"steps": settings.steps})


if __name__ == "__main__":
    main(run)
