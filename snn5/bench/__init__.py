"""How fast this machine is with it: `snn5 bench train` next to stock SpikingJelly, `snn5 bench data` next to tonic.

Times differ from run to run, so they are no output of any stage.
"""

from snn5.bench._data import data as data
from snn5.bench._measure import Row as Row
from snn5.bench._measure import write as write
from snn5.bench._train import train as train
