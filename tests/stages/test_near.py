"""As accurate as another, by hand."""

from snn5.record import Run
from snn5.stages._near import near, near_ones


def test_near_is_a_mean_with_a_margin() -> None:
    assert near([0.98, 0.99], [0.99, 1.0], 0.01)  # 0.985 against 0.995, alike in both seeds: exactly the gap
    assert near([0.97, 0.97], [0.99, 1.0], 0.03)  # 0.025, sd 0.0071, of which 1 / sqrt(2) is added: 0.03
    assert not near([0.97, 0.97], [0.99, 1.0], 0.029)
    assert near([0.97, 0.97], [0.99, 1.0], 0.025, standard_errors=0.0)


def test_those_that_are_near_on_validation_as_p4_has_its_limits() -> None:
    def runs(*accuracies: float) -> list[Run]:
        return [Run(metrics={"val/acc": a, "test/acc": 0.0}) for a in accuracies]

    variants = {1.0: runs(0.98, 0.97), 3.0: runs(0.97, 0.97), 6.0: runs(0.96, 0.97)}  # losses 0 and 0; 0.01 and 0; 0.02 and 0
    control = runs(0.98, 0.97)
    assert near_ones(variants, control, 0.01, 1.0) == [1.0, 3.0]  # 0.005 + 0.005 (sd 0.0071 over the root of 2): exactly the limit
    assert near_ones(variants, control, 0.01, 0.0) == [1.0, 3.0, 6.0]
    assert near_ones(variants, control, 0.0, 1.0) == [1.0]
