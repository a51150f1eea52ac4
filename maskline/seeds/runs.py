"""The runs of a pipeline with several seeds, and their results, which must be of the same classes and images."""

from collections.abc import Sequence

from maskline.errors import InputError
from maskline.series.pipeline import Member, Pipeline, Series
from maskline.series.results import Run, read_runs


def seeds_of(pipeline: Pipeline, count: int) -> Series:
    """Return the experiments of a pipeline with `count` seeds, from the seed of its params upward.

    Names start with the commit, so that a pattern such as '9be6ecf-seed-*' means one commit's runs.

    Raises:
        InputError: the params have no seed.
    """
    first = pipeline.params.get("seed")
    if not isinstance(first, int):
        raise InputError(
            f"{pipeline.folder / 'params.yaml'} must hold a seed, a whole number, that the runs count up from. "
            f"Received: {first!r}"
        )
    members = {
        seed: Member(_name(pipeline, seed), f"seed {seed}", {"seed": seed}) for seed in range(first, first + count)
    }
    return Series(pipeline, "seeds", members)


def pattern(pipeline: Pipeline) -> str:
    """Return the pattern that matches the names of all runs from the pipeline's commit."""
    return _name(pipeline, "*")


def _name(pipeline: Pipeline, seed: int | str) -> str:
    return pipeline.experiment(f"{pipeline.commit[:7]}-seed-{seed}")


def read_seeds(series: Series, commits: dict[int, str]) -> list[Run]:
    """Return the runs in the order of their seeds, from the commits of their experiments.

    Raises:
        InputError: a result cannot be read, or the runs are of different classes or sizes.
    """
    found = read_runs(series, commits)
    first = found[0]
    for run in found[1:]:
        if (run.result.classes, run.result.resolution) != (first.result.classes, first.result.resolution):
            raise InputError(
                f"{first.name} and {run.name} have different classes or were scored at different sizes; remove the "
                f"runs with `dvc exp remove {' '.join(each.name for each in found)}` and run the command again."
            )
    return found


def same_images(runs: Sequence[Run]) -> bool:
    """Return whether all runs were tested on the same images."""
    first = set(runs[0].result.filenames)
    return all(set(run.result.filenames) == first for run in runs[1:])
