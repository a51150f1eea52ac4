"""The params that plan proposes and the defaults, trained for the same time and compared by `maskline compare`'s test.

The defaults train first, and their time is what plan may take. Both are scored on the test split at each image's own
size. One data set a run, a few minutes each:

    python benchmarks/plan.py shapes --work plan
    TFDS_DATA_DIR=... python benchmarks/plan.py oxford_iiit_pet --work plan
    python benchmarks/plan.py camvid --path .../CamVid --weights mobilenet_v2_1.0_224_no_top.weights.h5 --work plan

Without --weights, encoders have no weights, as on a machine without a network.
"""

import argparse
import os
import shutil
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from pipeline import changed_params, result_of, run_stages  # noqa: E402

from maskline.comparison.compare import compare  # noqa: E402
from maskline.comparison.text import as_markdown  # noqa: E402
from maskline.planning.choice import Choice, with_choices  # noqa: E402
from maskline.planning.forecast import forecast  # noqa: E402
from maskline.planning.inspection.inspect import inspect  # noqa: E402
from maskline.planning.machine import this_machine  # noqa: E402
from maskline.planning.proposals.propose import propose  # noqa: E402
from maskline.planning.trial.trials import Trials  # noqa: E402

RESAMPLES = 10_000


def trained(folder: Path, changes: Mapping[str, Any]) -> float:
    """Run the pipeline up to evaluate in an empty folder, and return the wall seconds of train."""
    shutil.rmtree(folder, ignore_errors=True)
    run_stages(folder, changes, ("download", "preprocess"))
    begun = time.perf_counter()
    run_stages(folder, changes, ("train",))
    seconds = time.perf_counter() - begun
    run_stages(folder, changes, ("evaluate",))
    return seconds


def planned(data: str, seconds: float, weights: Path | None) -> tuple[list[Choice], float, float]:
    """Return plan's choices for a time, the forecast of train's seconds, and the seconds of planning."""
    begun = time.perf_counter()
    with Trials() as trials:
        found = inspect(data)
        machine, defaults = this_machine(trials.gpus), changed_params({})
        choices = propose(defaults, found, machine, seconds / 60, weights, trials.of(found), lambda url: False)
        params = with_choices(defaults, [*found.source, *choices])
        stages = forecast(params, found, machine, trials.measured(found, params))
        expected = next(stage.seconds for stage in stages if stage.stage == "train")
    return choices, expected, time.perf_counter() - begun


def main() -> None:
    """Train with the defaults and with plan's params, and print plan's reasons, the times and the comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=("shapes", "camvid", "oxford_iiit_pet"))
    parser.add_argument("--path", type=Path, help="a local copy of the data set")
    parser.add_argument("--weights", type=Path, help="a file of encoder weights that plan may use")
    parser.add_argument("--work", type=Path, default=Path("plan_benchmark.partial"), help="folder for the runs")
    options = parser.parse_args()
    source = {"dataset.name": options.name, "evaluate.resolution": "native"}
    source |= {"dataset.path": str(options.path.resolve())} if options.path else {}
    weights = options.weights.resolve() if options.weights else None

    seconds = trained(options.work / "defaults", source)
    choices, expected, planning = planned(str(options.path or options.name), seconds, weights)
    print("\n| param | value | reason |\n|---|---|---|")
    for choice in choices:
        print(f"| {choice.key} | {choice.value} | {choice.reason} |")
    used = trained(options.work / "planned", source | {choice.key: choice.value for choice in choices})
    print(
        f"\ntrain: {seconds:.0f} s with the defaults, {used:.0f} s as planned ({used / seconds - 1:+.0%}; "
        f"forecast {expected:.0f} s); planning took {planning:.0f} s\n"
    )
    results = [result_of(name, options.work / name) for name in ("defaults", "planned")]
    print(as_markdown(compare(*results, RESAMPLES, 1)))


if __name__ == "__main__":
    main()
