"""Loihi 2 by way of Lava (P5.2): `lava.run(network, x)` on the fixed-point CPU simulation, `lava.resources(network)` of a chip.

What runs there is proved against the network's own reference: `compare(network.run(x), lava.run(network, x)).equal`.
"""

from snn5.hardware._lava_plan import Plan, plan
from snn5.hardware._lava_resources import Resources, resources
from snn5.hardware._lava_run import LARGEST_CURRENT, run

__all__ = ["LARGEST_CURRENT", "Plan", "Resources", "plan", "resources", "run"]
