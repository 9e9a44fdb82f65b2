"""Stock SpikingJelly as a user starts it today: a fresh process with the C library's own memory management."""

import json
import subprocess
import sys

from snn5.bench._measure import in_turn
from snn5.bench._neurons import neuron_alone, stock_neuron


def times(shape: tuple[int, ...], repeats: int) -> list[float]:
    """Milliseconds of SpikingJelly's layer at this shape, forward and backward, measured in a process of its own."""
    command = [sys.executable, "-c", "from snn5.bench._stock import main; main()", json.dumps([shape, repeats])]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout)


def main() -> None:
    """What that process does."""
    shape, repeats = json.loads(sys.argv[1])
    sys.stdout.write(json.dumps(in_turn({"stock": neuron_alone(stock_neuron, tuple(shape))}, repeats)["stock"]))
