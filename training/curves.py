"""How much training the next ten points take, from what the shipped checkpoints reached: python curves.py

Errors fall about as a power of the pictures seen. Three checkpoints give the power by least squares, and their two steps the range: the
first was flatter, the second steeper, as the learning rate fell to zero at its end.
"""

import json
import math
from pathlib import Path

# Of the present generator on two idle cores; see README.md.
PICTURES_A_SECOND = 13
GAIN = 10


def powers(pictures: list[float], errors: list[float]) -> tuple[float, float, float]:
    """By least squares, and the lowest and the highest between neighbours."""
    x, y = [math.log(each) for each in pictures], [math.log(each) for each in errors]
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    fitted = -sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y)) / sum((a - mean_x) ** 2 for a in x)
    steps = [(y[i] - y[i + 1]) / (x[i + 1] - x[i]) for i in range(len(x) - 1)]
    return fitted, min(steps), max(steps)


def more(pictures: float, error: float, wanted: float, power: float) -> float:
    """Pictures to come until the error is `wanted`."""
    return pictures * ((error / wanted) ** (1 / power) - 1)


def main() -> None:
    checkpoints = json.loads((Path(__file__).parent / "curves.json").read_text())["checkpoints"]
    pictures = [each["pictures"] for each in checkpoints]
    print(
        f"| cell | now | power (range) | thousand pictures for {GAIN} points more (range) | idle hours of two cores |\n|---|---|---|---|---|"
    )
    for cell in ("short", "line", "value"):
        for index, fonts in enumerate(("known", "held-out")):
            errors = [100 - each[cell][index] for each in checkpoints]
            fitted, low, high = powers(pictures, errors)
            needed = [more(pictures[-1], errors[-1], errors[-1] - GAIN, power) for power in (fitted, high, low)]
            hours = [each / PICTURES_A_SECOND / 3600 for each in needed]
            print(
                f"| {cell}, {fonts} fonts | {100 - errors[-1]:.1f} % | {fitted:.2f} ({low:.2f} to {high:.2f}) "
                f"| {needed[0] / 1e3:,.0f} ({needed[1] / 1e3:,.0f} to {needed[2] / 1e3:,.0f}) | {hours[0]:.0f} ({hours[1]:.0f} to {hours[2]:.0f}) |"
            )


if __name__ == "__main__":
    main()
