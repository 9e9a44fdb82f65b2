"""Compression (P4): every technique takes a Checkpoint and answers a Checkpoint."""

from snn5.compression._calibration import calibration_samples as calibration_samples
from snn5.compression._distance import spike_distance as spike_distance
from snn5.compression._distance import spike_distances as spike_distances
from snn5.compression._distil import Distillation as Distillation
from snn5.compression._distil import Teacher as Teacher
from snn5.compression._leak import LEAKS as LEAKS
from snn5.compression._masks import keep_zeros as keep_zeros
from snn5.compression._one_shot import quantize_one_shot as quantize_one_shot
from snn5.compression._report import PrunedLayer as PrunedLayer
from snn5.compression._report import PruneReport as PruneReport
from snn5.compression._sbc import prune as prune
from snn5.compression._sbc import prune_many as prune_many
from snn5.compression._sbc import prune_to as prune_to
from snn5.compression._sparsity import SynOpsPenalty as SynOpsPenalty
from snn5.compression._sparsity import sparsify as sparsify
