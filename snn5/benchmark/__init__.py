"""Operations, energy and size of a network, and what it costs against its rivals (P6.2, P7.3)."""

from snn5.benchmark._counters import LayerOperations as LayerOperations
from snn5.benchmark._counters import NeuronOperations as NeuronOperations
from snn5.benchmark._counters import OperationCounter as OperationCounter
from snn5.benchmark._counters import Operations as Operations
from snn5.benchmark._counters import count_operations as count_operations
from snn5.benchmark._crosscheck import cross_check as cross_check
from snn5.benchmark._energy import FP16 as FP16
from snn5.benchmark._energy import FP32 as FP32
from snn5.benchmark._energy import INT8 as INT8
from snn5.benchmark._energy import INT32 as INT32
from snn5.benchmark._energy import Arithmetic as Arithmetic
from snn5.benchmark._energy import EnergyModel as EnergyModel
from snn5.benchmark._energy import Memory as Memory
from snn5.benchmark._energy import integer as integer
from snn5.benchmark._fanout import conv_fanout as conv_fanout
from snn5.benchmark._footprint import packed_bytes as packed_bytes
from snn5.benchmark._footprint import params_nnz as params_nnz
from snn5.benchmark._measure import measure as measure
from snn5.benchmark._measurement import PROTOCOLS as PROTOCOLS
from snn5.benchmark._measurement import Measurement as Measurement
from snn5.benchmark._measurement import compare as compare
from snn5.benchmark._rules import RULES as RULES
from snn5.benchmark._rules import Work as Work
