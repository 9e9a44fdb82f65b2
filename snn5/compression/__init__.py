"""Compression (P4): every technique takes a Checkpoint and answers a Checkpoint."""

from snn5.compression._distil import Distillation as Distillation
from snn5.compression._distil import Teacher as Teacher
from snn5.compression._masks import keep_zeros as keep_zeros
from snn5.compression._sparsity import SynOpsPenalty as SynOpsPenalty
from snn5.compression._sparsity import sparsify as sparsify
