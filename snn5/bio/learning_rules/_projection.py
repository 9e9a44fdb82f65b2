"""The synapses between two populations: magnitudes that learn by a rule, signs and wiring that nothing can change.

Shapes: N samples, p senders, q receivers; matrices [receiver, sender].
"""

from typing import Any

import torch
from spikingjelly.activation_based.base import MemoryModule
from torch import Tensor

from snn5.bio.learning_rules._rule import Rule
from snn5.errors import UserError


class Projection(MemoryModule):
    """Weight = magnitude x mask x sign of the sender, magnitude >= 0: Dale's law and the wiring hold by construction.

    Called with the senders' spikes it gives the receivers' input, s_pre W^T. `learn` moves the magnitudes by the rule, inside its bounds
    and the mask; after `eval()` it does nothing. Traces are its own. `functional.reset_net` forgets them but for what the rule calls
    slow; all travel in `state_dict`, so that a run goes on where it was saved.

    Args:
        magnitude_qp: >= 0 where signs are given. rule: how it learns; None: never.
        mask_qp: bool, where there are synapses; None: everywhere.
        sign_p: +1 or -1 of each sender; None: the magnitudes bear their own signs.

    Raises:
        UserError: a negative magnitude, another sign than +1 or -1, or shapes that do not belong together.
    """

    magnitude: Tensor
    mask: Tensor
    sign: Tensor
    traces: Any

    def __init__(
        self, magnitude_qp: Tensor, rule: Rule | None = None, *, mask_qp: Tensor | None = None, sign_p: Tensor | None = None
    ) -> None:
        super().__init__()
        mask = torch.ones_like(magnitude_qp, dtype=torch.bool) if mask_qp is None else mask_qp.bool()
        sign = magnitude_qp.new_ones(magnitude_qp.shape[-1]) if sign_p is None else sign_p.to(magnitude_qp.dtype)
        if magnitude_qp.ndim != 2 or mask.shape != magnitude_qp.shape or sign.shape != magnitude_qp.shape[1:]:
            raise UserError(
                f"a projection needs magnitudes [q, p], a mask of the same shape and p signs; got {list(magnitude_qp.shape)}, "
                f"{list(mask.shape)} and {list(sign.shape)}"
            )
        if sign_p is not None and (bool((magnitude_qp < 0).any()) or not bool((sign.abs() == 1).all())):
            raise UserError(
                f"a projection with signs needs magnitudes from 0 (least here: {float(magnitude_qp.min()):g}) and signs of +1 or -1; "
                "give the sign apart from the magnitude"
            )
        self.rule = rule
        self.register_buffer("magnitude", magnitude_qp.detach().clone() * mask)
        self.register_buffer("mask", mask)
        self.register_buffer("sign", sign)
        self.register_memory("traces", None)
        self.kept: dict[str, Tensor] = {}

    @property
    def weight(self) -> Tensor:
        """Signed weights [q, p]."""
        return self.magnitude * self.mask * self.sign

    def forward(self, pre_Np: Tensor) -> Tensor:
        """The receivers' input [N, q]."""
        return pre_Np.to(self.magnitude.dtype) @ self.weight.T

    @torch.no_grad()
    def learn(self, pre_Np: Tensor, post_Nq: Tensor, **more: Tensor) -> None:
        """One step of the rule with the spikes of this step.

        Args:
            more: what else the rule takes, such as `reward_N`.

        Raises:
            UserError: the number of samples changed without a reset.
        """
        if not self.training or self.rule is None:
            return
        if self.traces is None:
            self.traces = self.rule.start(self.magnitude, len(pre_Np))._replace(**self.kept)
        change_qp, self.traces = self.rule.step(pre_Np, post_Nq, self.traces, self.magnitude, **more)
        self.add(change_qp)

    @torch.no_grad()
    def add(self, change_qp: Tensor) -> None:
        """Add to the magnitudes, inside the rule's bounds and the mask; nothing after `eval()`."""
        if self.training and self.rule is not None:
            self.magnitude.copy_(self.rule.bounds.clip(self.magnitude + change_qp) * self.mask)

    def reset(self) -> None:
        """Forget the traces but for the rule's slow fields."""
        if self.traces is not None and self.rule is not None:
            self.kept = {name: getattr(self.traces, name) for name in self.rule.slow}
        super().reset()

    def get_extra_state(self) -> dict[str, Any]:
        """Traces and slow fields, for `state_dict`."""
        return {"traces": None if self.traces is None else self.traces._asdict(), "kept": self.kept}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Traces and slow fields, from `state_dict`."""
        fields, self.kept = state["traces"], state["kept"]
        self.traces = None if fields is None or self.rule is None else type(self.rule.start(self.magnitude, 0))(**fields)
