"""SNN5: train spiking networks, tune them, shrink them, port them, and judge three targets with honest figures."""

import logging
import os

# No tool of the pipeline phones home, and torch's idle threads sleep: they would spin for milliseconds on the core that a neuron kernel
# could use (it counts only where torch is not imported yet). A value the user has set stays.
for _name, _value in {
    "OMP_WAIT_POLICY": "PASSIVE",
    "DO_NOT_TRACK": "1",
    "DVC_NO_ANALYTICS": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
}.items():
    os.environ.setdefault(_name, _value)

# A CPU-only torch says on every import that it has no Triton; nobody here asked for it.
logging.getLogger("torch._library.triton").setLevel(logging.ERROR)

__version__ = "0.1.0"
