"""The whole of P8.4 for learners by track: which trainings it takes, and what they say together."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from snn5.bio._claims import at_least, at_most
from snn5.bio.reproducibility._bits import MANNERS, same_bits
from snn5.bio.reproducibility._encode import CODES
from snn5.bio.reproducibility._grades import grade
from snn5.bio.reproducibility._sources import EVERYTHING, SOURCES, decompose, design
from snn5.bio.reproducibility._trial import Draws, Manner, Outcome
from snn5.success import PROVEN

STEADY, SPREAD, AGREE = 0.95, 0.01, 0.95  # R2: 1 - sd / mean at least, sd at most; R3 at least


class Job(NamedTuple):
    """One training of a study.

    Attributes:
        track: name of the learner. group: `seeds`, `bits`, `sources/<cell>` or `codes/<code>`. name: of the training in its group.
    """

    track: str
    group: str
    name: str
    code: str
    draws: Draws
    manner: Manner = Manner()


@dataclass(frozen=True, kw_only=True)
class Study:
    """What is asked of a track.

    Attributes:
        target: accuracy declared before the run, 0..1. code: of the inputs, a noisy one. seeds: of R1 to R3. sources: whether to look for
            the causes of the spread. runs: trainings per cell of that design and per other code, at most as many as seeds.
    """

    target: float
    code: str
    seeds: Sequence[int]
    runs: int
    sources: bool = True

    def jobs(self, track: str, *parts: object) -> Iterator[Job]:
        """All trainings of `track`, each once; `parts` are what the seeds of randomness are made of.

        `other process` is not among them: run the first job again where it did not run (see `first`).
        """
        for seed in self.seeds:
            yield Job(track, "seeds", f"seed{seed}", self.code, Draws.of(*parts, seed))
        first = Draws.of(*parts, self.seeds[0])
        for name, manner in MANNERS.items():
            if name != "other process":
                yield Job(track, "bits", name, self.code, first, manner)
        if self.sources:
            for cell, draws in design(self.runs, *parts).items():
                if cell != EVERYTHING:  # the seeds are that cell, and more of them
                    for k, own in enumerate(draws):
                        yield Job(track, f"sources/{cell}", f"run{k}", self.code, own)
            for code in CODES:
                if code != self.code:
                    for seed in self.seeds[: self.runs]:
                        yield Job(track, f"codes/{code}", f"seed{seed}", code, Draws.of(*parts, seed))

    def judge(self, made: Mapping[str, Mapping[str, Outcome]], track: str) -> tuple[dict[str, float], list[dict[str, Any]], dict[str, Any]]:
        """Figures, claims and details of one track.

        Args:
            made: its outcomes by group and name, `other process` among `bits`.

        Returns:
            Summary figures (`<track>/...`), claims as rows for the report, and details: what differs in R0, by manner.
        """
        seeds = list(made["seeds"].values())
        grades, differs = grade(seeds, self.target), same_bits(seeds[0], made["bits"])
        found = {f"{track}/{name}": value for name, value in grades.items()} | {f"{track}/target": self.target}
        cells = {
            group.removeprefix("sources/"): [o.accuracy for o in own.values()] for group, own in made.items() if group[:8] == "sources/"
        }
        if cells:
            cells[EVERYTHING] = [outcome.accuracy for outcome in seeds]
            found |= {f"{track}/sources/{name}": value for name, value in decompose(cells).items()}
        for group, own in made.items():
            if group.startswith("codes/"):
                found |= {f"{track}/{group}/{name}": value for name, value in grade(list(own.values()), self.target).items()}
        alike = float(not any(differs.values()))
        n = len(seeds)
        claims = [
            at_least(
                f"{track}_bits", f"{track}: runs of one seed that differ in no bit, of {len(differs)}", alike * len(differs), len(differs)
            ),
            at_least(f"{track}_success", f"{track}: seeds that reach {100 * self.target:g} %, of {n}", grades["r1/successes"], n),
            at_least(f"{track}_proved", f"{track}: success rate proved by that", grades["r1/proved"], PROVEN),
            at_least(f"{track}_steady", f"{track}: 1 − sd/mean of the accuracy", grades["r2/steadiness"], STEADY),
            at_most(f"{track}_spread", f"{track}: sd of the accuracy", grades["test/acc_sd"], SPREAD),
            at_least(f"{track}_agreement", f"{track}: mean agreement of two seeds' predictions", grades["r3/agreement"], AGREE),
        ]
        found |= {f"{track}/r0/bits": alike} | {f"verdict/{row['name']}": float(row["met"]) for row in claims}
        return found, claims, {"differs": differs, "sha256": seeds[0].sha256, "sources": dict(_order(found, track))}


def _order(found: Mapping[str, float], track: str) -> list[tuple[str, float]]:
    """The sources by their share of the variance, the largest first."""
    shares = [(source, found[f"{track}/sources/{source}/share"]) for source in SOURCES if f"{track}/sources/{EVERYTHING}/sd" in found]
    return sorted(shares, key=lambda pair: -pair[1])
