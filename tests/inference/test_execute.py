import pytest
import torch
from spikingjelly.activation_based import base, layer
from torch import Tensor

from snn5.benchmark import OperationCounter
from snn5.errors import UserError
from snn5.inference import EntropyRule, GapRule, MaxProbabilityRule, Rule, leave, run_until_sure
from snn5.models import SpikingModel, ann_twin, create_model
from snn5.neurons import LIF

T, N = 4, 9


def net(neuron: str = "lif") -> SpikingModel:
    model = create_model("sew_resnet20", in_channels=2, num_classes=5, image_size=8, time_steps=T, neuron=neuron, width=4)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.constant_(module.weight, 4.0)
            torch.nn.init.constant_(module.bias, 1.0)
    return model.eval()


class Exact(SpikingModel):
    """Two linear spiking layers whose weights are small multiples of 1/8: every sum is exact, whatever the batch."""

    def __init__(self) -> None:
        super().__init__(in_channels=2, num_classes=5, image_size=4, time_steps=T)
        generator = torch.Generator().manual_seed(0)
        self.first, self.second = LIF(), LIF()
        self.lift, self.hidden, self.head = (layer.Linear(*s, bias=False, step_mode="m") for s in ((32, 40), (40, 30), (30, 5)))
        for part in (self.lift, self.hidden, self.head):
            part.weight.data = torch.randint(-6, 9, part.weight.shape, generator=generator) / 8

    def stem(self, x_TNCHW: Tensor) -> Tensor:
        return self.lift(x_TNCHW.flatten(2))

    def run(self, current_TNCHW: Tensor) -> Tensor:
        return self.head(self.second(self.hidden(self.first(current_TNCHW))))


def inputs(steps: int, size: int = 8) -> Tensor:
    return torch.bernoulli(torch.full((steps, N, 2, size, size), 0.3), generator=torch.Generator().manual_seed(0))


def median_gap(model: SpikingModel, x: Tensor) -> float:
    with torch.no_grad():
        first, second = model(x)[0].topk(2).values.unbind(-1)
    return float((first - second).median())


@pytest.mark.parametrize("steps", [1, T])
def test_pixels_are_summed_into_blocks_as_in_the_full_run(steps: int) -> None:
    """A network with bin_pixels has more pixels in its input than its stem expects; an SEW-ResNet would take them all without a word."""
    model = create_model("sew_resnet20", in_channels=2, num_classes=5, image_size=16, time_steps=T, neuron="if", width=4, bin_pixels=2)
    model.train()
    x = inputs(steps, 16)
    for _ in range(5):
        model(x)  # batch norms with spread
    model.eval()
    found = run_until_sure(model, x, None)
    with torch.no_grad():
        torch.testing.assert_close(found.logits_NK, model(x).sum(0))
    assert found.logits_NK.std(0).min() > 1e-4  # samples differ


@pytest.mark.parametrize("steps", [1, T])
def test_nobody_leaves_early_bit_equal_to_the_full_run(steps: int) -> None:
    model, x = Exact().eval(), inputs(steps, 4)
    for rule in (None, GapRule(thresholds=(float("inf"),) * T)):
        found = run_until_sure(model, x, rule)
        with torch.no_grad():
            assert torch.equal(found.logits_NK, model(x).cumsum(0)[-1])
        assert found.step_N.tolist() == [T] * N
        assert found.logits_NK.abs().sum() > 0


@pytest.mark.parametrize("make", [Exact, net], ids=["exact", "residual"])
@pytest.mark.parametrize("steps", [1, T], ids=["image", "events"])
def test_compaction_answers_as_a_masked_full_run(make: type, steps: int) -> None:
    """The catcher of state mix-ups: the samples that stay must keep their own potentials, whoever leaves."""
    model = make().eval()
    x = inputs(steps, model.image_size)
    beta = median_gap(model, x)
    rules: list[Rule] = [
        GapRule(thresholds=(beta, 1.5 * beta, 1.2 * beta, 0.0)),
        EntropyRule(threshold=0.7),
        MaxProbabilityRule(threshold=0.6),
    ]
    with torch.no_grad():
        logits_TNK = model(x)
    spread = set()
    for rule in rules:
        found, (step_N, prediction_N) = run_until_sure(model, x, rule), leave(logits_TNK, rule)
        assert found.step_N.tolist() == step_N.tolist()
        assert found.prediction_N.tolist() == prediction_N.tolist()
        expected_NK = logits_TNK.cumsum(0)[step_N - 1, torch.arange(N)]
        torch.testing.assert_close(found.logits_NK, expected_NK, rtol=1e-4, atol=1e-5)
        spread |= set(step_N.tolist())
    assert len(spread) > 1  # some left and some stayed, or nothing was tested


def test_everybody_leaves_at_once() -> None:
    found = run_until_sure(net(), inputs(T), GapRule(thresholds=(float("-inf"),) * T))
    assert found.step_N.tolist() == [1] * N


@pytest.mark.parametrize("steps", [1, T], ids=["image", "events"])
def test_what_has_left_is_not_computed(steps: int) -> None:
    """Additions and updates are those of the steps that were run: of each sample's own, counted apart."""
    model, x = Exact().eval(), inputs(steps, 4)
    rule = GapRule(thresholds=(median_gap(model, x),) * T)
    with OperationCounter(model) as counter:
        found = run_until_sure(model, x, rule)
    early = counter.operations(N)
    per_step_N = [_operations(model, x[:, i : i + 1], int(found.step_N[i])) for i in range(N)]
    assert round(early.total("acs") * N) == sum(acs for acs, _ in per_step_N) > 0
    assert round(early.updates * N) == sum(updates for _, updates in per_step_N) == 70 * int(found.step_N.sum())
    assert 1 < found.step_N.double().mean() < T


def _operations(model: SpikingModel, x: Tensor, steps: int) -> tuple[float, float]:
    thresholds = tuple(float("inf") if t < steps else float("-inf") for t in range(1, T + 1))
    with OperationCounter(model) as counter:
        run_until_sure(model, x, GapRule(thresholds=thresholds))
    return counter.operations(1).total("acs"), counter.operations(1).updates


def test_a_twin_has_one_step() -> None:
    twin, x = ann_twin(net()).eval(), inputs(T)
    found = run_until_sure(twin, x, None)
    assert found.step_N.tolist() == [1] * N
    with torch.no_grad():
        assert found.prediction_N.tolist() == twin(x)[0].argmax(-1).tolist()


def test_runs_do_not_see_each_other() -> None:
    model, x = Exact().eval(), inputs(T, 4)
    rule = GapRule(thresholds=(median_gap(model, x),) * T)
    first = run_until_sure(model, x, rule)
    assert all(not isinstance(v, Tensor) for m in model.modules() if isinstance(m, base.MemoryModule) for v in m._memories.values())
    assert torch.equal(run_until_sure(model, x, rule).logits_NK, first.logits_NK)


def test_refusals() -> None:
    model, x = net(), inputs(T)
    with pytest.raises(UserError, match="training mode, where a sample depends on its batch"):
        run_until_sure(net().train(), x, None)
    with pytest.raises(UserError, match="input has 3 steps, the model T=4"):
        run_until_sure(model, x[:3], None)
    model.causal = False
    with pytest.raises(UserError, match="'sew_resnet20' looks at later steps"):
        run_until_sure(model, x, None)


def test_a_state_without_a_batch_axis_is_refused() -> None:
    model, x = Exact().eval(), inputs(T, 4)
    model.first.register_memory("history", torch.zeros(2))
    with pytest.raises(UserError, match=r"state 'history' of first has shape \[2\] for 9 samples"):
        run_until_sure(model, x, GapRule(thresholds=(median_gap(model, x),) * T))
