"""Layers that say nothing: silent ones pass nothing on and learn nothing, saturated ones always say the same."""

from snn5.errors import UserError

SILENT, SATURATED = 1e-4, 0.95  # spikes per neuron and step


def faults(rates: dict[str, float]) -> dict[str, str]:
    """What is wrong with each layer that is silent or saturated, and what to do about it; rates in spikes per neuron and step."""
    said = {}
    for name, rate in rates.items():
        if rate < SILENT:
            said[name] = (
                f"layer {name} is silent ({rate:.1e} spikes per neuron and step); lower its threshold or the regulariser's strength"
            )
        elif rate > SATURATED:
            said[name] = f"layer {name} is saturated ({rate:.2f} spikes per neuron and step); raise its threshold or lower lr"
    return said


def check_activity(rates: dict[str, float]) -> None:
    """Refuse a network with a silent or a saturated layer.

    Raises:
        UserError: names the first such layer and its rate.
    """
    for said in faults(rates).values():
        raise UserError(said)


class Guard:
    """Ends a training that cannot come to anything: a layer was silent or saturated in `patience` epochs in a row.

    A layer may start silent and wake up, so epochs before the end of the warm-up do not count, and one good epoch starts the count anew.
    A layer that never ran has no rate and no fault.

    Args:
        patience: epochs, >= 1; 0 never ends a training. warmup_epochs: those of the schedule.
    """

    def __init__(self, patience: int, warmup_epochs: int) -> None:
        self.patience, self.warmup_epochs = patience, warmup_epochs
        self.faulty: dict[str, int] = {}  # epochs in a row, by layer

    def check(self, epoch: int, rates: dict[str, float]) -> None:
        """Call after each epoch (0-based) with its rates.

        Raises:
            UserError: names the layer and its rate.
        """
        if epoch + 1 < self.warmup_epochs:
            return
        said = faults(rates)
        self.faulty = {name: self.faulty.get(name, 0) + 1 for name in said}
        for name, epochs in self.faulty.items():
            if epochs == self.patience:
                raise UserError(
                    f"{said[name]} (stopped after epoch {epoch}: so for {epochs} epochs in a row, guard_epochs={self.patience})"
                )


def activity_text(rates: dict[str, float]) -> str:
    """`rate 0.14 (layer1 0.02 … layer3 0.31)`: the mean over layers, the quietest and the busiest; empty without spiking layers."""
    if not rates:
        return ""
    low, high = min(rates, key=rates.__getitem__), max(rates, key=rates.__getitem__)
    return f"rate {sum(rates.values()) / len(rates):.2g} ({low} {rates[low]:.2g} … {high} {rates[high]:.2g})"
