"""The table of figures."""

from flows._summary import markdown


def test_figures_beside_their_targets() -> None:
    figures = {"p6_x": {"test/acc": 0.9412345, "test/acc_sd": 0.00321, "cost/ratio": 0.01, "n_seeds": 3.0}, "p7_y": {}}
    text = markdown("p6", figures, {"test/acc": (">=", 0.95), "cost/ratio": ("<=", 0.02)})
    assert text.splitlines()[4:7] == [
        "| p6_x | cost/ratio | 0.01 |  | <= 0.02 | met |",
        "| p6_x | n_seeds | 3 |  |  |  |",
        "| p6_x | test/acc | 0.9412 | 0.0032 | >= 0.95 | not met |",
    ]
    assert "CIFAR-10" in text


def test_the_bound_itself_is_met() -> None:
    assert "| met |" in markdown("p1", {"p1_x": {"test/acc": 0.95}}, {"test/acc": (">=", 0.95)})


def test_a_deviation_without_its_mean_is_shown() -> None:
    assert "| p1_x | lone_sd | 1 |" in markdown("p1", {"p1_x": {"lone_sd": 1.0}}, {})


def test_no_figures() -> None:
    assert "wrote no figures" in markdown("p7", {"p7_data@frames": {}}, {"test/acc": (">=", 0.95)})
