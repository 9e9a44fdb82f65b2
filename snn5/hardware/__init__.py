"""Other hardware (P5.2, P5.3)."""

from snn5.hardware._lava_import import lava_importable as lava_importable
