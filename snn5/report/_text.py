"""Figures as text: always the same digits for the same number, with units, spread, seeds and n."""

from snn5.report._results import Value

MINUS, THIN = "−", "\u202f"  # a true minus, a narrow no-break space


def signed(value: float, digits: int = 1) -> str:
    """+1.2, −0.3, 0.0 (never −0.0)."""
    text = f"{abs(value):.{digits}f}"
    if float(text) == 0:
        return text
    return ("+" if value > 0 else MINUS) + text


def decimal(value: float, digits: int = 2) -> str:
    """1234.5 -> 1 234.50."""
    text = f"{abs(value):,.{digits}f}".replace(",", THIN)
    return MINUS + text if value < 0 and float(text.replace(THIN, "")) != 0 else text


def whole(value: float) -> str:
    """77763 -> 77 763."""
    return decimal(round(value), 0)


def percent(value: Value) -> str:
    """98.3 ± 0.3, in percent."""
    return f"{100 * value.mean:.1f}{THIN}±{THIN}{100 * value.sd:.1f}"


def with_unit(value: Value) -> str:
    """98.3 ± 0.3 %."""
    return f"{percent(value)}{THIN}%"


def spread(value: Value, digits: int = 2, scale: float = 1.0) -> str:
    """Mean ± sd, both times `scale`."""
    return f"{decimal(value.mean * scale, digits)}{THIN}±{THIN}{decimal(value.sd * scale, digits)}"


def accuracy(value: Value | None, n: int | None) -> str:
    """98.3 ± 0.3 % (n = 450, 3 seeds)."""
    if value is None:
        return "not measured"
    size = "n unknown" if n is None else f"n = {whole(n)}"
    return f"{with_unit(value)} ({size}, {seeds(value.seeds)})"


def seeds(count: int) -> str:
    """1 seed, 3 seeds."""
    return f"{count} seed{'' if count == 1 else 's'}"


def fraction(ratio: float) -> str:
    """0.08 -> 1/12.5; above 1 a factor: 1.7×."""
    if ratio <= 0:
        return decimal(ratio)
    return f"1/{1 / ratio:.1f}" if ratio < 1 else f"{ratio:.2f}×"
