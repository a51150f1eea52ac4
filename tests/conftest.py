import os
import signal
import sys

import pytest
from hypothesis import settings

from maskline.engine import pool

# The same examples in every run, and no clock: a slow machine is no defect.
settings.register_profile("maskline", derandomize=True, deadline=None, database=None, max_examples=50)
settings.load_profile("maskline")


def pytest_xdist_auto_num_workers():
    """Let one worker more than there are cores take turns, for the pipeline's tests mostly wait."""
    return min(4, (os.cpu_count() or 1) + 1)


def pytest_collection_modifyitems(items):
    """Put the pipeline's tests first: one worker does them all, which at the end would leave the others idle."""
    items.sort(key=lambda item: item.path.stem != "test_pipeline")


def pytest_collection_finish():
    """Let a worker's own tensors, which are tiny, stay on one core; the stages that tests start use all cores."""
    if "tensorflow" in sys.modules:
        sys.modules["tensorflow"].config.threading.set_intra_op_parallelism_threads(1)


@pytest.fixture
def in_process(monkeypatch):
    """Let preprocess work in this process, where starting workers would be most of a test's time."""
    monkeypatch.setattr(pool, "map_tasks", lambda work, tasks, *_: [work(task) for task in tasks])


@pytest.fixture
def interruptible():
    """Let Ctrl-C stop the test's processes, which would inherit its being ignored from a background job."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
