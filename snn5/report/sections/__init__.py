"""One section of the page per phase: `parts(results)` gives its tables and figures."""

from collections.abc import Callable

from snn5.report._parts import Part
from snn5.report._results import Results
from snn5.report.sections import p1, p2, p3, p4, p5, p6, p7, p8

SECTIONS: dict[int, Callable[[Results], list[Part]]] = {
    1: p1.parts,
    2: p2.parts,
    3: p3.parts,
    4: p4.parts,
    5: p5.parts,
    6: p6.parts,
    7: p7.parts,
    8: p8.parts,
}
