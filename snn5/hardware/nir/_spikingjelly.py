"""An independent reader: SpikingJelly's own NIR importer and its own neurons on a file that `export` wrote."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from snn5.errors import UserError
from snn5.hardware._integer_network import Int
from snn5.hardware.nir._export import DT_S


def run_spikingjelly(path: str | Path, x_TNCHW: Int, time_steps: int) -> NDArray[np.float64]:
    """The read-out of every step, [T, N, K], in float64.

    Args:
        path: written with `inclusive=True`, since SpikingJelly fires at the threshold. x_TNCHW: [1 or T, N, C, H, W].

    Raises:
        UserError: what SpikingJelly cannot read: thresholds that differ within a population (port with scale="tensor"), gates (d = 4096).
    """
    from spikingjelly.activation_based.nir_exchange import import_from_nir

    try:
        model = import_from_nir(Path(path), dt=DT_S, dtype=torch.float64)
    except (ValueError, NotImplementedError) as error:
        raise UserError(f"SpikingJelly cannot read {Path(path).name}: {error}") from error
    state, rows = None, []
    with torch.no_grad():
        for t in range(time_steps):
            *outs, state = model(torch.from_numpy(x_TNCHW[t % len(x_TNCHW)].astype(np.float64)), state)
            rows.append(sum(out.numpy() for out in outs))  # edges that meet in the output, which SpikingJelly hands out one by one
    return np.stack(rows)
