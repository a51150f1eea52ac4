import fcntl
import os
import signal
import sys
from collections import Counter

import pytest
from hypothesis import settings

from maskline.engine import pool

# The same examples in every run, and no deadline, because a slow machine is not a defect.
settings.register_profile("maskline", derandomize=True, deadline=None, database=None, max_examples=50)
settings.load_profile("maskline")

# The files that `make check` runs: they take a few seconds, import no TensorFlow, and start no pipeline or browser.
FAST = {
    "test_artifacts",
    "test_bootstrap",
    "test_boundaries",
    "test_calibration",
    "test_catalogue",
    "test_checksums",
    "test_commands",
    "test_compare",
    "test_compare_seeds",
    "test_contracts",
    "test_conventions",
    "test_crf",
    "test_datasets_shapes",
    "test_declarations",
    "test_decode",
    "test_device",
    "test_docs",
    "test_examples",
    "test_experiments",
    "test_floors",
    "test_grabcut",
    "test_lock_files",
    "test_memory",
    "test_metrics",
    "test_model_info",
    "test_params",
    "test_plan_cli",
    "test_plan_forecast",
    "test_plan_project",
    "test_plan_proposals",
    "test_predict",
    "test_predict_coco",
    "test_predict_decode",
    "test_predict_notebook",
    "test_readme",
    "test_records",
    "test_report_charts",
    "test_report_plots",
    "test_source_examples",
    "test_staging",
    "test_suspects",
    "test_tasks",
    "test_web_runtime",
    "test_workflow",
    "test_workers",
    "test_yaml12",
}
# The files that take more than about a minute, from the longest; the two that start Ray stand apart.
LONGEST = (
    "test_pipeline",
    "test_replicas",
    "test_export_formats",
    "test_ray",
    "test_links",
    "test_attacks",
    "test_workers_training",
    "test_folds_command",
    "test_plan_pipeline",
    "test_models",
    "test_segformer",
    "test_seeds_command",
    "test_own_data",
    "test_workflow_steps",
    "test_plan_trials",
    "test_download",
    "test_encoders",
    "test_kills",
    "test_export",
    "test_export_page",
    "test_start_from",
    "test_ensemble",
    "test_architectures",
    "test_ray_evaluate",
    "test_training",
    "test_predict_memory",
    "test_knobs",
    "test_set_param",
    "test_forecast",
    "test_datasets_sources",
)
# Reasons for which even the whole suite may skip a test: the project does not hold the data or the library, or the test
# does not apply to this machine or case.
NOT_PROMISED = (
    "is absent",
    "needs the ImageNet weights",
    "root reads every folder",
    "is no network",
    "is not glibc",
    "has no ImageNet",
    "ONNX Runtime Web is not in the cache",
)
REAL_DATA = "optional: real data sets and weights in ../shared/data"


def pytest_addoption(parser):
    """Add the selections that the Makefile names."""
    parser.addoption("--fast", action="store_true", help="collect only the files that tests/conftest.py lists as FAST")
    parser.addoption("--promised", action="store_true", help="fail if a test is skipped that any machine can run")


def pytest_ignore_collect(collection_path, config):
    """Ignore whole files, so that TensorFlow is not even imported."""
    if config.option.fast and collection_path.suffix == ".py" and collection_path.stem not in FAST:
        return True
    return None


def pytest_xdist_auto_num_workers():
    """Use one worker more than there are cores, because the pipeline's tests mostly wait."""
    return min(4, (os.cpu_count() or 1) + 1)


def pytest_collection_modifyitems(config, items):
    """Leave out what `test-all` runs in a longer form, and put the files of LONGEST first.

    One worker runs a whole file, and all would wait for a long one at the end.
    """
    if config.option.promised:
        few = [item for item in items if item.originalname == "test_a_few_attacks_end_in_success_or_a_sentence"]
        config.hook.pytest_deselected(items=few)
        items[:] = [item for item in items if item not in few]
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.stem, len(places)))


def pytest_collection_finish(session):
    """Limit the small tensors of a worker to one core; the stages that tests start use all cores."""
    if "tensorflow" in sys.modules:
        if session.config.option.fast:
            raise pytest.UsageError("a file that tests/conftest.py lists as FAST imports TensorFlow")
        sys.modules["tensorflow"].config.threading.set_intra_op_parallelism_threads(1)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session):
    """Fail if a promised test was skipped."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if session.config.option.promised and reporter and any(map(_promised, _skipped(reporter))):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter, config):
    """Print last which tests were skipped, and how to enable them."""
    yield
    counts = Counter(_skipped(terminalreporter))
    if counts:
        terminalreporter.section("skipped")
    for reason, count in counts.items():
        failed = config.option.promised and _promised(reason)
        how = f" ({REAL_DATA})" if reason.startswith("needs ") or "is absent" in reason else ""
        terminalreporter.line(f"{'FAILED: ' if failed else ''}{count} skipped: {reason}{how}", red=failed)


def _skipped(reporter):
    """Return the reason of each test that was skipped."""
    return [report.longrepr[2].removeprefix("Skipped: ") for report in reporter.stats.get("skipped", [])]


def _promised(reason):
    return not any(words in reason for words in NOT_PROMISED)


@pytest.fixture
def in_process(monkeypatch):
    """Run preprocess in this process, because starting workers takes most of a test's time."""
    monkeypatch.setattr(pool, "map_tasks", lambda work, tasks, *_: [work(task) for task in tasks])


@pytest.fixture
def interruptible():
    """Let Ctrl-C stop the test's processes, which would otherwise inherit an ignored SIGINT from a background job."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def first_result(tmp_path_factory):
    """The project on photos after its first run, committed. All workers share it, so tests work in copies."""
    from project import commit, create, dvc, photos

    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "first result"
    folder = shared / "project"
    with open(f"{shared}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (shared / "finished").exists():
            create(folder, photos(shared / "my images é"))
            dvc(folder, "repro")
            commit(folder, "The first result")
            (shared / "finished").touch()
    return folder


@pytest.fixture(scope="module")
def s3():
    """Yield an S3 server on loopback; its packages are imported where a test needs it."""
    from s3_server import s3_server

    with s3_server() as server:
        yield server


@pytest.fixture(scope="module")
def nodes(s3):
    """Yield a Ray cluster with two nodes, on 127.0.0.3 and 127.0.0.4."""
    from ray_nodes import cluster

    with cluster(s3.environment) as started:
        started.add(3)
        started.add(4)
        yield started


@pytest.fixture
def on_nodes(nodes, s3):
    """Return the environment that sends tasks to the nodes."""
    s3.requests.clear()
    chosen = {"MASKLINE_ENGINE": "ray", "RAY_ADDRESS": nodes.address, "MASKLINE_STAGING": "s3://masks/area"}
    return chosen | s3.environment
