"""SpiNNaker (P5.3): the integer network on NEST for its function, in s16.15 for its arithmetic, on a virtual board for its place."""

from snn5.hardware.spinnaker._cells import Cell as Cell
from snn5.hardware.spinnaker._cells import calibrate as calibrate
from snn5.hardware.spinnaker._connections import Connections as Connections
from snn5.hardware.spinnaker._connections import expand as expand
from snn5.hardware.spinnaker._connections import levels as levels
from snn5.hardware.spinnaker._emulator import Emulated as Emulated
from snn5.hardware.spinnaker._emulator import emulate as emulate
from snn5.hardware.spinnaker._mapping import Mapping as Mapping
from snn5.hardware.spinnaker._mapping import events_per_step as events_per_step
from snn5.hardware.spinnaker._mapping import map_virtual as map_virtual
from snn5.hardware.spinnaker._nest import exact_step as exact_step
from snn5.hardware.spinnaker._nest import run_nest as run_nest
from snn5.hardware.spinnaker._pynn import Board as Board
from snn5.hardware.spinnaker._pynn import run_pynn as run_pynn
