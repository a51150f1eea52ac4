"""Rank a data set's images by cleanlab's segmentation filter and rank; `suspects.py score` runs it.

It runs in a virtual environment of its own with cleanlab. cleanlab has no void label, so void pixels get the class that
the model predicts, which never counts as a mistake.
"""

import json
import resource
import sys
import time
from pathlib import Path

import numpy as np
from cleanlab.segmentation.filter import find_label_issues
from cleanlab.segmentation.rank import get_label_quality_scores

VOID = 255


def main() -> None:
    """Write the scores of both methods, and print the seconds and the peak memory in MiB."""
    folder = Path(sys.argv[1])
    probabilities = np.moveaxis(np.load(folder / "probabilities.npy", mmap_mode="r"), -1, 1).astype(np.float32)
    labels = np.load(folder / "labels.npy").astype(np.int64)
    labels = np.where(labels == VOID, probabilities.argmax(axis=1), labels)
    begun = time.perf_counter()
    issues = find_label_issues(labels, probabilities, n_jobs=1, verbose=False)
    quality, _ = get_label_quality_scores(labels, probabilities, n_jobs=1, verbose=False)
    seconds = time.perf_counter() - begun
    np.save(folder / "cleanlab_filter.npy", issues.mean(axis=(1, 2)))
    np.save(folder / "cleanlab_rank.npy", 1 - quality)
    print(json.dumps([seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10]))


if __name__ == "__main__":
    main()
