"""Stock SpikingJelly as a user starts it today: a fresh process with the C library's own memory management and OpenMP's own waiting."""

import json
import os
import subprocess
import sys

from snn5.bench._measure import in_turn
from snn5.bench._neurons import neuron_alone, stock_neuron


def times(shape: tuple[int, ...], repeats: int) -> list[float]:
    """Milliseconds of SpikingJelly's layer at this shape, forward and backward, measured in a process of its own."""
    # torch first: what snn5 sets for OpenMP comes too late then.
    command = [sys.executable, "-c", "import torch; from snn5.bench._stock import main; main()", json.dumps([shape, repeats])]
    env = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True, env=env).stdout)


def main() -> None:
    """What that process does."""
    shape, repeats = json.loads(sys.argv[1])
    sys.stdout.write(json.dumps(in_turn({"stock": neuron_alone(stock_neuron, tuple(shape))}, repeats)["stock"]))
