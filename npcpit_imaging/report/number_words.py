"""How the results write a share, a ratio and a p value: the same on the page as in the figures."""

import math


def percent_words(share: float) -> str:
    """A share of 1 in percent, one decimal; what is not 0 or 100 % never looks as if it were.

    Example:
        >>> percent_words(12 / 3000), percent_words(1 / 10_000), percent_words(0.0), percent_words(0.9999)
        ('0.4', '<0.1', '0.0', '>99.9')
    """
    number = 100 * share
    if 0 < number < 0.05:
        return "<0.1"
    return ">99.9" if 99.95 <= number < 100 else f"{number:.1f}"


def ratio_words(value: float) -> str:
    """An odds or hazard ratio: two decimals, or two digits that say something; a power of ten beyond a thousand.

    Example:
        >>> ratio_words(0.456), ratio_words(0.0731), ratio_words(33.634), ratio_words(7e-5), ratio_words(12000.0)
        ('0.46', '0.073', '33.63', '7e-5', '1e4')
    """
    if math.isinf(value):
        return "∞"
    if value >= 1000 or 0 < value < 0.001:
        return f"{value:.0e}".replace("e+0", "e").replace("e-0", "e-").replace("e+", "e")
    return f"{value:.2f}" if value >= 0.095 else f"{value:.2g}"


def probability_words(value: float) -> str:
    """A p value of three decimals.

    Example:
        >>> probability_words(0.0004), probability_words(0.0421), probability_words(0.9999)
        ('<0.001', '0.042', '>0.999')
    """
    if value < 0.001:
        return "<0.001"
    return ">0.999" if 0.9995 <= value < 1 else f"{value:.3f}"
