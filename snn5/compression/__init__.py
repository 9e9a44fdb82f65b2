"""Compression (P4): every technique takes a Checkpoint and answers a Checkpoint."""

from snn5.compression._distil import Distillation as Distillation
from snn5.compression._distil import Teacher as Teacher
from snn5.compression._masks import keep_zeros as keep_zeros
from snn5.compression._regularisers import L1 as L1
from snn5.compression._regularisers import Bounds as Bounds
from snn5.compression._regularisers import MeanRate as MeanRate
from snn5.compression._regularisers import Penalty as Penalty
from snn5.compression._regularisers import Regulariser as Regulariser
from snn5.compression._regularisers import Target as Target
from snn5.compression._sparsity import sparsify as sparsify
from snn5.compression._synops import SynOps as SynOps
from snn5.compression._synops import SynOpsPenalty as SynOpsPenalty
