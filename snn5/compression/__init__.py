"""Compression (P4): every technique takes a Checkpoint and answers a Checkpoint."""

from snn5.compression._distil import Distillation as Distillation
from snn5.compression._distil import Teacher as Teacher
from snn5.compression._fold import fold_norms as fold_norms
from snn5.compression._grids import Grid as Grid
from snn5.compression._grids import device_grid as device_grid
from snn5.compression._grids import whole_grid as whole_grid
from snn5.compression._integers import IntegerWeight as IntegerWeight
from snn5.compression._integers import integer_weights as integer_weights
from snn5.compression._masks import keep_zeros as keep_zeros
from snn5.compression._pack import pack as pack
from snn5.compression._pack import unpack as unpack
from snn5.compression._qat import quantize as quantize
from snn5.compression._qat import round_to_nearest as round_to_nearest
from snn5.compression._scheme import Scheme as Scheme
from snn5.compression._sparsity import SynOpsPenalty as SynOpsPenalty
from snn5.compression._sparsity import sparsify as sparsify
