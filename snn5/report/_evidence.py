"""The measured figure of each task, as one line of text."""

from collections.abc import Callable

from snn5.report._results import Results
from snn5.report._tasks import Task
from snn5.report._text import accuracy, decimal, fraction, seeds, signed, spread, whole, with_unit
from snn5.report.sections._lava import TITLES as ON_LAVA


def evidence(task: Task, results: Results) -> str:
    """What was measured for `task`; empty where nothing was."""
    if task.state(results) == "not there yet":
        return ""
    return _LINES[task.id](results)


def _architectures(r: Results) -> str:
    slots = ("frames", "events")
    return "test accuracy " + "; ".join(
        f"{slot} {accuracy(r.value(f'p1_train@sew_resnet-{slot}', 'test/acc'), r.samples(f'p1_train@sew_resnet-{slot}'))}" for slot in slots
    )


def _depth(r: Results) -> str:
    deep, plain = (r.value("p1_depth", "test/acc", f"{family}56/") for family in ("sew_resnet", "spiking_resnet"))
    against = "" if plain is None else f" against {with_unit(plain)} of the plain net"
    return f"{_architectures(r)}; with 56 layers and a short training {accuracy(deep, r.samples('p1_depth'))}{against}"


def _contrast(*asked: tuple[str, str, str]) -> Callable[[Results], str]:
    """A line of (family, variant, its title) with the gain of each over its reference."""

    def line(r: Results) -> str:
        found = []
        for family, variant, title in asked:
            stage = f"p1_contrast@{family}"
            gain, value = r.number(stage, f"{variant}/acc_gain"), r.value(stage, "test/acc", f"{variant}/")
            if value is not None:
                change = "" if gain is None else f", {signed(100 * gain)} points over its reference"
                found.append(f"{title} {accuracy(value, r.samples(stage))}{change}")
        return "; ".join(found)

    return line


def _gated(r: Results) -> str:
    glif, dynamic = (r.value("p2_neurons", "test/acc", f"{neuron}/") for neuron in ("glif", "dynamic_glif"))
    more = "" if dynamic is None else f"; with input-dependent gates {with_unit(dynamic)}"
    return f"GLIF {accuracy(glif, r.samples('p2_neurons'))}{more}"


def _neurons(r: Results) -> str:
    lost = {neuron: r.number("p2_neurons", f"{neuron}/acc_lost_to_tau0") or 0.0 for neuron in ("plif", "lif")}
    n, count = r.samples("p2_neurons"), len({run.params["seed"] for _, run in r.runs("p2_neurons")})
    text = "a bad initial time constant costs PLIF {plif:.1f} points of test accuracy, LIF {lif:.1f}"
    return text.format(**{neuron: 100 * points for neuron, points in lost.items()}) + f" (n = {n}, {seeds(count)})"


def _coding(r: Results) -> str:
    ttfs, rate = (r.value("p2_coding", "test/acc", f"{code}/") for code in ("ttfs", "rate"))
    ratio = r.number("p2_coding", "compare/synops_ratio")
    met = "claim met" if r.number("p2_coding", "verdict/all") else "claim missed"
    if ttfs is None or rate is None or ratio is None:
        return met
    return f"{accuracy(ttfs, r.samples('p2_coding'))} against {with_unit(rate)} of the rate code, at {ratio:.2f} of its SynOps; {met}"


def _tuning(r: Results) -> str:
    complete, pruned = (int(r.number("p3_tune", f"study/{key}") or 0) for key in ("complete", "pruned"))
    found = accuracy(r.value("p3_tune", "test/acc"), r.samples("p3_tune"))
    return f"{found}; of {complete + pruned} trials {complete} ran to the end"


def _sparsity(r: Results) -> str:
    ratio = r.number("p4_sparsify", "cost/synops_ratio") or 0.0
    found = r.value("p4_sparsify", "test/acc_last")
    return f"{decimal(ratio)} of the SynOps at {accuracy(found, r.samples('p4_sparsify'))}"


def _quantisation(r: Results) -> str:
    bits, ratio = (r.number("p4_quantize", name) or 0.0 for name in ("chosen_bits", "compare/bytes_ratio"))
    change = -100 * (r.number("p4_quantize", "compare/acc_loss") or 0.0)
    found = accuracy(r.value("p4_quantize", "test/acc"), r.samples("p4_quantize"))
    return f"{whole(bits)} bit weights, {fraction(ratio)} of the bytes: {found}, {signed(change)} points to float"


def _pruning(r: Results) -> str:
    chosen, change = (r.number("p4_prune", key) or 0.0 for key in ("chosen_sparsity", "prune/acc_change"))
    rival = r.value("p4_prune", "test/acc", f"magnitude-{chosen:g}/")
    found = accuracy(r.value("p4_prune", "test/acc"), r.samples("p4_prune"))
    against = "" if rival is None else f"; magnitude pruning {with_unit(rival)}"
    return f"{100 * chosen:g} % of the weights gone without training: {found}, {signed(100 * change)} points{against}"


def _cutoff(r: Results) -> str:
    said = []
    for slot in ("events", "frames"):
        stage = f"p5_cutoff@{slot}"
        if r.get(stage):
            fewer, change = (r.number(stage, f"cutoff/{key}") or 0.0 for key in ("fewer_steps", "acc_change"))
            found = accuracy(r.value(stage, "test/acc"), r.samples(stage))
            said.append(f"{slot} {fewer:.2f}× fewer steps; {found}, {signed(100 * change)} points")
    return "; ".join(said)


def _spinnaker(r: Results) -> str:
    said = []
    for slot in ("frames", "events"):
        stage = f"p5_spinnaker@{slot}"
        wrong, agreement, cores, count = (
            r.number(stage, f"p6/{key}") for key in ("nest/differences", "s1615/agreement", "board/cores", "n_seeds")
        )
        if wrong is not None and agreement is not None:
            place = "no place on" if cores is None else f"{whole(cores)} cores of"
            same = f"{decimal(100 * agreement, 1)} % same labels in s16.15"
            size = f"n = {r.samples(stage)}, {seeds(int(count or 0))}"
            said.append(f"{slot}: {whole(wrong)} spikes differ on NEST, {same}, {place} one 48-chip board ({size})")
        elif r.get(stage):
            said.append(f"{slot}: not ported, as the chips cannot hold it")
    return f"P6's network on {'; '.join(said)}" if said else ""


def _integration(r: Results) -> str:
    said = []
    for slot in ("frames", "events"):
        stage = f"p6_integrate@{slot}"
        if r.get(stage):
            energy = r.number(stage, "cost/energy_pj") or 0.0
            said.append(f"{slot} {accuracy(r.value(stage, 'test/acc'), r.samples(stage))} at {decimal(energy / 1000, 1)} nJ")
    return "; ".join(said)


def _efficiency(r: Results) -> str:
    said = []
    for slot in ("frames", "events"):
        dense, skip = (r.number(f"p6_integrate@{slot}", f"cost/ratio_ann_{rival}") for rival in ("dense", "zero_skip"))
        if dense is not None:
            said.append(f"{slot} {fraction(dense)}" + ("" if skip is None else f" ({fraction(skip)} of one that skips zeros)"))
    return f"of the dense ANN's arithmetic energy: {'; '.join(said)}"


def _foundation(r: Results) -> str:
    differences = [
        abs(value)
        for _, run in r.runs("p7_benchmark")
        for name, value in run.details.get("cross_check", {}).items()
        if name.endswith("_difference")
    ]
    if not differences:
        return "neurons, layers and counters are SpikingJelly's"
    return f"operation counts differ from SpikingJelly's by {decimal(max(differences), 0)} in {len(differences)} comparisons"


def _data(r: Results) -> str:
    counts = [whole(r.number("p7_data@events", f"data/{side}_samples") or 0) for side in ("train", "val", "test")]
    record = r.get("p7_data@events")
    name = str(record.details.get("dataset", "")) if record else ""
    return f"{name}: {' / '.join(counts)} samples to train / validate / test"


def _benchmark(r: Results) -> str:
    energy, rate = (r.number("p7_benchmark", f"sew_resnet-frames/cost/{key}") or 0.0 for key in ("energy_pj", "spike_rate"))
    synops = r.number("p7_benchmark", "sew_resnet-frames/cost/synops") or 0.0
    record = r.get("p7_suite")
    count = len(record.details.get("networks", [])) if record else 0
    held = f"{count} networks by the same measures, held by two gates; " if count else ""
    return f"{held}SNN on frames: {whole(synops)} SynOps, spike rate {rate:.3f}, {decimal(energy / 1000, 1)} nJ a sample"


def _liquid(r: Results) -> str:
    events = accuracy(r.value("p8_lsm", "test/acc", "events/"), r.samples("p8_lsm", "events-"))
    order = r.value("p8_lsm", "test/acc", "order_easy/")
    more = "" if order is None else f"; order task {accuracy(order, r.samples('p8_lsm', 'order_easy-'))}"
    return f"digits as events {events}{more}"


def _balance(r: Results) -> str:
    ratio, control = (r.value("p8_dale", "rate_ratio", f"{name}/") for name in ("istdp", "frozen"))
    broken = r.number("p8_dale", "istdp/dale/violations")
    if ratio is None or control is None:
        return ""
    text = (
        f"a doubled input changes the rate to {spread(ratio)} of what it was, {spread(control)} where nothing learns ({seeds(ratio.seeds)})"
    )
    return text if broken is None else f"{text}; {broken:.0f} weights against Dale's law"


def _homeostasis(r: Results) -> str:
    up, down = (r.number("p8_homeostasis", f"threshold/{phase}/settled_steps") or 0.0 for phase in ("x4", "x0.25"))
    count, error = int(r.number("p8_homeostasis", "threshold/n_seeds") or 0), r.number("p8_homeostasis", "bcm/x4/error")
    text = f"rate back within 10 % after {whole(up)} steps at 4 times the gain and {whole(down)} at 1/4 ({seeds(count)})"
    return text if error is None else f"{text}; BCM alone is then {100 * error:.0f} % off"


def _reproducible(r: Results) -> str:
    found = []
    for track, title in (("bio", "liquid"), ("sg", "gradients")):
        value, n = r.value("p8_reproducibility", "test/acc", f"{track}/"), r.number("p8_reproducibility", f"{track}/n_test")
        good, asked, same = (r.number("p8_reproducibility", f"{track}/{name}") for name in ("r1/successes", "target", "r0/bits"))
        if value is not None and good is not None and asked is not None:
            bits = "the same bits" if same else "other bits"
            size = None if n is None else int(n)
            found.append(f"{title}: {good:.0f} of {value.seeds} seeds reach {100 * asked:.0f} %, {accuracy(value, size)}, {bits} again")
    return "; ".join(found)


def _lava(r: Results) -> str:
    equal, count = r.number("p5_lava", "networks_equal"), r.number("p5_lava", "networks")
    change = r.value("p5_lava", "int/acc_change", "p6-frames/")
    if equal is None or count is None:
        return ""
    shown = next((f" ({n:.0f} samples each)" for name in ON_LAVA if (n := r.number("p5_lava", f"{name}/lava/samples"))), "")
    text = (
        f"{equal:.0f} of {count:.0f} networks are spike for spike the same on Lava's simulation{shown}"
        if count
        else "no network ran on Lava"
    )
    if unported := r.number("p5_lava", "networks_unported"):
        text += f"; {unported:.0f} cannot be ported"
    loss = "" if change is None else f"; P6's network in whole numbers {signed(100 * change.mean)} points ({seeds(change.seeds)})"
    return text + loss


_LINES: dict[str, Callable[[Results], str]] = {
    "P1.1": _depth,
    "P1.2": _contrast(("spikingformer", "plain", "Spikingformer"), ("spikingformer", "cml", "with CML")),
    "P1.3": _contrast(("hsvt", "stfe", "spiking cells")),
    "P1.4": _contrast(("dta", "dta", "DTA"), ("staa", "staa", "STAA")),
    "P2.1": _neurons,
    "P2.2": _gated,
    "P2.3": _coding,
    "P3.1": _tuning,
    "P4.1": _sparsity,
    "P4.2": _quantisation,
    "P4.3": _pruning,
    "P5.1": _cutoff,
    "P5.2": _lava,
    "P5.3": _spinnaker,
    "P6.1": _integration,
    "P6.2": _efficiency,
    "P7.1": _foundation,
    "P7.2": _data,
    "P7.3": _benchmark,
    "P8.1": _liquid,
    "P8.2": _balance,
    "P8.3": _homeostasis,
    "P8.4": _reproducible,
}
