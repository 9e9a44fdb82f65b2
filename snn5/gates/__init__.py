"""Regression gates (P7.3): committed baselines, the check that fails, its self-test, and the one way to move a baseline."""

from snn5.gates._baseline import Baseline as Baseline
from snn5.gates._baseline import Finding as Finding
from snn5.gates._baseline import compare as compare
from snn5.gates._faults import Outcome as Outcome
from snn5.gates._faults import selftest as selftest
from snn5.gates._gate import GATES as GATES
from snn5.gates._gate import check as check
from snn5.gates._gate import hold as hold
from snn5.gates._gate import move as move
from snn5.gates._kinds import Metric as Metric
from snn5.gates._networks import FOLDER as FOLDER
