"""Which test tells two params apart from a few seeds of each, and how often it is wrong.

Draws confusion matrices of models whose seeds, images, and seeds on images vary as a scenario says. Each method then
compares the mean IoU of two sides of S seeds. `same`: both sides have the same params, so that every difference found
is a false alarm; at most 5 % are allowed. `other images`: the sides differ image by image at random and are equally
good on average, so the variation among images counts too. `better`: one side is better. Methods:

- `images`: the paired test of one model of each side, as `maskline compare A B` does it.
- `bootstrap`: percentiles of a bootstrap over images and seeds (Owen, 2007).
- `seeds`: Welch's t-test of the models' mean IoU, which ignores that the images are a sample.
- `exchange`: all exchanges of models between the sides (Fisher, 1935), which ignores it too.
- `crossed`: seeds and images with Student's t, as `maskline compare ... --against ...` does it.

    python benchmarks/seeds_simulation.py
    python benchmarks/seeds_simulation.py --plot docs/seeds.svg    # only the power of `crossed`; needs matplotlib
"""

import argparse
import itertools
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from scipy.special import stdtr

from maskline.comparison.crossed import crossed_difference
from maskline.comparison.paired import paired_difference
from maskline.metrics.scores import mean_iou

PIXELS = 4096
SHARES = np.array([0.7, 0.25, 0.05])  # of the classes' pixels
LEVEL = 0.05
RESAMPLES = 400
SEEDS = (2, 3, 4, 6, 8, 12)

Draw = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]
Method = Callable[[np.ndarray, np.ndarray, int], bool]


def normal(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Draw from the normal distribution."""
    return rng.normal(size=shape)


def heavy(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Draw from Student's t with 3 degrees of freedom, with variance 1."""
    return rng.standard_t(3, size=shape) / np.sqrt(3)


def collapsing(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Draw mostly near 0; one model in ten gives a class up."""
    return 0.3 * rng.normal(size=shape) - 6.0 * (rng.random(shape) < 0.1)


class Scenario(NamedTuple):
    """The deviations of a pixel's log-odds of being right; B is better by `gain`.

    Attributes:
        images: number of test images.
        seeds: deviation among models, for each class.
        both: deviation among models on one image.
        sides: deviation among images of what a side's params do.
        draw: the distribution among models.
        uneven: factor of the deviations of B's models.
        gain: added to B.
    """

    images: int = 96
    seeds: float = 0.1
    both: float = 0.3
    sides: float = 0.0
    draw: Draw = normal
    uneven: float = 1.0
    gain: float = 0.0


SCENARIOS = {
    "same: as CamVid": Scenario(),
    "same: seeds vary little": Scenario(seeds=0.01),
    "same: seeds vary much": Scenario(seeds=0.5),
    "same: few images": Scenario(images=20),
    "same: many images": Scenario(images=400, both=0.2),
    "same: heavy tails": Scenario(seeds=0.3, draw=heavy),
    "same: collapsing seeds": Scenario(seeds=0.3, draw=collapsing),
    "same: one side less stable": Scenario(seeds=0.05, both=0.1, uneven=3.0, gain=0.03),  # equally good on average
    "other images": Scenario(sides=0.5),
    "other images: seeds vary little": Scenario(seeds=0.01, both=0.05, sides=0.5),
    "better: by 0.2 in log-odds": Scenario(gain=0.2),
    "better: by 0.4": Scenario(gain=0.4),
}


def drawn(scenario: Scenario, models: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw both sides' counts, float64 [models, images, 3, 3] each, on the same images."""
    shape = scenario.images, len(SHARES)
    truth = np.stack([rng.multinomial(PIXELS, share) for share in rng.dirichlet(6 * SHARES, scenario.images)])
    hard = 2.0 + rng.normal(size=shape)
    sides = []
    for gain, factor in ((0.0, 1.0), (scenario.gain, scenario.uneven)):
        of_side = scenario.sides * rng.normal(size=shape)
        of_model = factor * scenario.seeds * scenario.draw(rng, (models, 1, shape[1]))
        of_both = factor * scenario.both * rng.normal(size=(models, *shape))
        sides.append(counted(truth, hard + gain + of_side + of_model + of_both))
    return sides[0], sides[1]


def counted(truth: np.ndarray, odds: np.ndarray) -> np.ndarray:
    """Return confusion matrices [..., C, C] of true pixels [N, C] that are right with log-odds [..., N, C]."""
    hits = truth / (1 + np.exp(-odds))
    identity = np.eye(truth.shape[1])
    return hits[..., None] * identity + (truth - hits)[..., None] * np.roll(identity, 1, axis=1)


def metric(sums: np.ndarray) -> np.ndarray:
    """Return mean IoU as one of several metrics."""
    return mean_iou(sums)[..., None]


def images(a: np.ndarray, b: np.ndarray, seed: int) -> bool:
    """Compare the first model of each side by its images."""
    return bool(paired_difference(a[0], b[0], metric, seed, RESAMPLES).p_value[0] <= LEVEL)


def bootstrap(a: np.ndarray, b: np.ndarray, seed: int) -> bool:
    """Draw models and images with replacement."""
    rng = np.random.default_rng(seed)
    count = a.shape[1]
    weights = rng.multinomial(count, np.full(count, 1 / count), RESAMPLES).astype(np.float64)
    means = []
    for side in (a, b):
        sums = np.tensordot(weights, side, axes=(1, 1))  # [resamples, models, C, C]
        models = rng.integers(len(side), size=(RESAMPLES, len(side)))
        means.append(np.take_along_axis(mean_iou(sums), models, axis=1).mean(axis=1))
    low, high = np.quantile(means[1] - means[0], [LEVEL / 2, 1 - LEVEL / 2])
    return not low <= 0 <= high


def seeds(a: np.ndarray, b: np.ndarray, seed: int) -> bool:
    """Test the models' mean IoU by Welch's t-test."""
    values = [mean_iou(side.sum(axis=1)) for side in (a, b)]
    parts = np.array([each.var(ddof=1) / len(each) for each in values])
    freedom = parts.sum() ** 2 / (parts**2 / (len(a) - 1)).sum()
    statistic = abs(values[1].mean() - values[0].mean()) / np.sqrt(parts.sum())
    return bool(2 * stdtr(freedom, -statistic) <= LEVEL)


def exchange(a: np.ndarray, b: np.ndarray, seed: int) -> bool:
    """Compare the difference with those of all divisions of the models into two sides, or of many."""
    values = mean_iou(np.concatenate([a, b]).sum(axis=1))
    half = len(a)
    rng = np.random.default_rng(seed)
    splits = list(itertools.combinations(range(2 * half), half)) if half <= 4 else None
    chosen = np.array(splits or [range(half), *(rng.permutation(2 * half)[:half] for _ in range(RESAMPLES))])
    differences = np.abs(values.sum() - 2 * values[chosen].sum(axis=1))
    return bool((differences >= differences[0] * (1 - 1e-9)).mean() <= LEVEL)


def crossed(a: np.ndarray, b: np.ndarray, seed: int) -> bool:
    """Test seeds and images together."""
    return bool(crossed_difference(a, b, metric).p_value[0] <= LEVEL)


METHODS = (images, bootstrap, seeds, exchange, crossed)
GAINS = (0.0, 0.05, 0.1, 0.2)  # to plot, in log-odds
PLOTTED = (4, 5, 6, 8, 10, 12, 16)  # seeds


def share(method: Method, scenario: Scenario, count: int, comparisons: int) -> float:
    """Return the share of comparisons of `count` seeds a side that a method decides."""
    sides = (drawn(scenario, count, np.random.default_rng([number, count])) for number in range(comparisons))
    return sum(method(*pair, number) for number, pair in enumerate(sides)) / comparisons


def power(comparisons: int) -> dict[str, dict[int, float]]:
    """Return how often `crossed` decides, by the number of seeds, for several gains."""
    found = {}
    for gain in GAINS:
        scenario = Scenario(gain=gain)
        name = f"better by {effect(scenario):.1f} deviations" if gain else "the same params"
        found[name] = {count: share(crossed, scenario, count, comparisons) for count in PLOTTED}
    return found


def plot(found: Mapping[str, Mapping[int, float]], path: Path) -> None:
    """Draw shares of comparisons with a verdict by the number of seeds, a line for each name."""
    import plots

    figure, panel = plots.panels(400)
    for name, by_count in found.items():
        panel.plot(list(by_count), list(by_count.values()), label=name)
    panel.axhline(LEVEL, color=plots.MUTED, linestyle="--", linewidth=1, label="5 %")
    panel.set_xlabel("seeds on each side")
    panel.set_ylabel("share of comparisons that tell them apart")
    panel.set_ylim(-0.02, 1.02)
    plots.legend(figure, 2)
    plots.save(figure, path)


def effect(scenario: Scenario, models: int = 400) -> float:
    """Return the difference of the sides' mean IoU, in standard deviations among the models of a side."""
    a, b = (mean_iou(side.sum(axis=1)) for side in drawn(scenario, models, np.random.default_rng(0)))
    return float((b.mean() - a.mean()) / a.std(ddof=1))


def main() -> None:
    """Print the share of comparisons that each method decides."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--comparisons", type=int, default=1000, help="of each cell; default: %(default)s")
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS, help="of each side; default: %(default)s")
    parser.add_argument("--plot", type=Path, help="SVG file to draw, instead of the table")
    options = parser.parse_args()
    if options.plot:
        plot(power(options.comparisons), options.plot)
        return
    heads = [f"{count} seeds" for count in options.seeds]
    print(f"| scenario | method | {' | '.join(heads)} |\n|---|---|{'---|' * len(heads)}")
    for name, scenario in SCENARIOS.items():
        for method in METHODS:
            found = (share(method, scenario, count, options.comparisons) for count in options.seeds)
            print(f"| {name} | {method.__name__} | {' | '.join(f'{each:.1%}' for each in found)} |", flush=True)


if __name__ == "__main__":
    main()
