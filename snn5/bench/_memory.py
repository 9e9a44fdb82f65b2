"""What a call has allocated at its peak, by torch's own accounts."""

from torch.profiler import ProfilerActivity, profile

from snn5.bench._measure import Side

MIB = 2**20


def peak(side: Side) -> float:
    """MiB of tensors that a call held at once, besides those that were there before; the second call is looked at.

    Exact and the same in every run. It sees what torch allocates, not the scratch of a compiled kernel (below 1 MiB per thread).
    """
    side()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True, acc_events=True) as recorded:
        side()
    events = [e for e in recorded.profiler.kineto_results.events() if e.name() == "[memory]"]
    held = most = 0
    for event in sorted(events, key=lambda e: e.start_ns()):
        held += event.nbytes()
        most = max(most, held)
    return most / MIB
