"""What the clock says: training next to stock SpikingJelly (`snn5 bench train`), an early exit next to all steps (`snn5 bench cutoff`),
events to frames next to tonic (`snn5 bench data`), an answer of the event engine next to dense networks (`snn5 bench infer`), and every
network of the suite (`snn5 bench suite`).

Times differ from run to run, so they are no output of any stage.
"""

from snn5.bench._cutoff import cutoff as cutoff
from snn5.bench._data import data as data
from snn5.bench._infer import infer as infer
from snn5.bench._measure import Row as Row
from snn5.bench._measure import to_json as to_json
from snn5.bench._measure import write as write
from snn5.bench._suite import Latency as Latency
from snn5.bench._suite import named as named
from snn5.bench._suite import suite as suite
from snn5.bench._train import train as train
