"""The one artefact that moves through the pipeline: weights plus a card, in one `.safetensors` file that executes no code.

The header's `snn5` entry is the card as JSON (sorted keys, no clocks, no paths outside the project), so equal checkpoints are equal bytes.
"""

import json
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor, nn

from snn5._card_checks import check_kinds, check_numbers
from snn5.errors import UserError
from snn5.files import write_bytes
from snn5.models import ann_twin, create_model, rebuild

FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class Transform:
    """One step in a checkpoint's history.

    Attributes:
        name: what was done, e.g. `train`, `sparsify`, `calibrate_cutoff`.
        args: its settings, plain JSON values.
        parents: md5 of every artefact it read, by path relative to the project.
    """

    name: str
    args: dict[str, Any] = field(default_factory=dict)
    parents: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Card:
    """What one must know to use the weights.

    Attributes:
        model: the architecture's registered name; `twin` tells that it is that architecture's ReLU twin.
        model_args: arguments of `create_model` beside the name.
        dataset: name of the data set; preprocessing: how its samples become the model's input.
        time_steps: T. neuron: the neuron's registered name.
        folded: names of the batch norms whose work the layer before them does now; identities stand in their places.
        quantisation, masks: left by later techniques; None and empty for a dense float network.
        cutoff: thresholds of the early exit (`thresholds`: one gap per step), or None.
        transforms: history, oldest first.
    """

    model: str
    model_args: dict[str, Any]
    dataset: str
    time_steps: int
    neuron: str
    twin: bool = False
    preprocessing: dict[str, Any] = field(default_factory=dict)
    folded: list[str] = field(default_factory=list)
    quantisation: dict[str, Any] | None = None
    masks: list[str] = field(default_factory=list)
    cutoff: dict[str, Any] | None = None
    transforms: list[Transform] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A card and the weights it describes."""

    card: Card
    state: dict[str, Tensor]

    def build(self) -> nn.Module:
        """The model with these weights, in eval mode.

        Raises:
            UserError: the card describes no model, or the weights are another model's (names the first tensors that differ) or no numbers.
        """
        try:
            model: nn.Module = create_model(self.card.model, **self.card.model_args)
            if self.card.twin:
                model = ann_twin(model)
            rebuild(model, self.card.folded, self.card.quantisation)
        except (TypeError, ValueError, KeyError, AttributeError, RuntimeError) as error:
            raise UserError(
                f"the card describes no {self.card.model!r} that can be built ({type(error).__name__}: {error}); "
                "load the checkpoint that SNN5 wrote"
            ) from error
        own = {name: tuple(t.shape) for name, t in model.state_dict().items()}
        stored = {name: tuple(t.shape) for name, t in self.state.items()}
        wrong = sorted(name for name in own.keys() | stored.keys() if own.get(name) != stored.get(name))
        if wrong:
            first = ", ".join(f"{n}: model {own.get(n, 'absent')}, file {stored.get(n, 'absent')}" for n in wrong[:3])
            raise UserError(
                f"these weights do not fit {self.card.model!r} ({len(wrong)} tensors differ; {first}); load the checkpoint of that model"
            )
        check_numbers(self.state, model.state_dict())
        model.load_state_dict(self.state)
        return model.eval()

    def after(self, transform: Transform, model: nn.Module | None = None, **card: Any) -> "Checkpoint":
        """The checkpoint that `transform` leaves: `model`'s weights (default: the same), `card` entries replaced, history extended."""
        state = self.state if model is None else {k: v.detach().clone() for k, v in model.state_dict().items()}
        return Checkpoint(card=replace(self.card, transforms=[*self.card.transforms, transform], **card), state=state)


def save(checkpoint: Checkpoint, path: str | Path) -> None:
    """Write `checkpoint` to `path`, whole or not at all; equal checkpoints give equal bytes."""
    card = json.dumps({"format": FORMAT, **asdict(checkpoint.card)}, sort_keys=True, allow_nan=False)
    state = {name: checkpoint.state[name].detach().cpu().contiguous() for name in sorted(checkpoint.state)}
    write_bytes(path, to_bytes(state, metadata={"snn5": card}))


def load(path: str | Path, model: str | None = None) -> Checkpoint:
    """Read a checkpoint.

    Args:
        path: the `.safetensors` file.
        model: the architecture that the caller needs; None takes any.

    Raises:
        UserError: the file is missing, truncated, no checkpoint of ours, of another format or of another model.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"checkpoint {path} is missing; make it with `dvc repro`, or fetch it with `dvc pull`")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
        raw = json.loads(metadata["snn5"])
    except (SafetensorError, OSError, ValueError) as error:
        raise UserError(f"checkpoint {path} is corrupt ({error}); delete it and run `dvc repro` or `dvc checkout`") from error
    except KeyError as error:
        raise UserError(f"{path} is a safetensors file without an SNN5 card; pass a checkpoint that SNN5 wrote") from error
    if not isinstance(raw, dict):
        raise UserError(
            f"checkpoint {path} has a damaged card ({type(raw).__name__} instead of a mapping); delete it and run `dvc checkout`"
        )
    if raw.pop("format", None) != FORMAT:
        raise UserError(f"checkpoint {path} is of another format than {FORMAT}; make it again with this version of SNN5")
    extra = raw.keys() - {f.name for f in fields(Card)}
    if extra:
        raise UserError(f"checkpoint {path} has card entries this version does not know: {', '.join(sorted(extra))}; update SNN5")
    try:
        check_kinds(raw)
        card = Card(**{**raw, "transforms": [Transform(**t) for t in raw["transforms"]]})
    except (KeyError, TypeError) as error:
        raise UserError(f"checkpoint {path} has a damaged card ({error!r}); delete it and run `dvc checkout`") from error
    if model is not None and card.model != model:
        raise UserError(f"checkpoint {path} is of model {card.model!r}, not {model!r}; pass a checkpoint of {model!r}")
    return Checkpoint(card=card, state=state)


def of(model: nn.Module, card: Card) -> Checkpoint:
    """The checkpoint of a live model."""
    return Checkpoint(card=card, state={k: torch.clone(v.detach()) for k, v in model.state_dict().items()})
