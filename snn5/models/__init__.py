"""Architectures (P1) and their ANN twins."""

from snn5.models._base import SpikingModel as SpikingModel
from snn5.models._base import initialise as initialise
from snn5.models._base import predict as predict
from snn5.models._compressed import add_steps as add_steps
from snn5.models._compressed import drop_norms as drop_norms
from snn5.models._compressed import foldable as foldable
from snn5.models._compressed import quantise_membranes as quantise_membranes
from snn5.models._compressed import quantise_relus as quantise_relus
from snn5.models._compressed import rebuild as rebuild
from snn5.models._diagonal_ssm import DiagonalSSM as DiagonalSSM
from snn5.models._hsvt_temporal import LSTMState as LSTMState
from snn5.models._parts import Gate as Gate
from snn5.models._parts import MatMul as MatMul
from snn5.models._registry import ann_twin as ann_twin
from snn5.models._registry import create_model as create_model
from snn5.models._registry import list_models as list_models
