from pathlib import Path

import h5py
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskline.datasets.weights import IMAGENET
from maskline.errors import InputError
from maskline.files.yaml12 import read_yaml
from maskline.params.check import check_params
from maskline.planning.choice import Choice, with_choices
from maskline.planning.fingerprint import Fingerprint, FoundClass
from maskline.planning.machine import Machine
from maskline.planning.proposals.held_out import few_warnings
from maskline.planning.proposals.propose import propose
from maskline.planning.proposals.size import STRIDE, aspect, sizes
from maskline.planning.proposals.storage import storage
from maskline.planning.proposals.weights import encoder_of, weights_at_hand
from maskline.planning.splits import images_by_role
from maskline.planning.trial.measured import TrainingCost
from maskline.planning.trial.trials import _without_equals

CPU = Machine(cores=2, memory=12 << 30, gpus=[], bfloat16=True)
PIXELS = st.integers(16, 3000)
DEFAULTS = read_yaml(Path(__file__).parents[1] / "params.yaml")


def fake_trial(per_pixel=1e-6, bytes_per_pixel=2_000, base=1 << 30):
    """Return a trial whose time and memory grow with the pixels of a batch."""

    def trial(params):
        size = params["preprocess"]["height"] * params["preprocess"]["width"]
        batch = size * params["train"]["batch_size"]
        memory = int(base + bytes_per_pixel * batch)
        return TrainingCost(
            start=4.0, build=3.0, first_step=1.0, preparation=0.01, step=0.01 + per_pixel * batch, first_validation=1.0,
            validation=per_pixel * size / 3, checkpoint=0.1, save=0.5, model_bytes=8_000_000, example_bytes=4 * size,
            forecast=memory, peak=memory, device="",
        )  # fmt: skip

    return trial


def fingerprint(median=(375, 500), images=None, pixels=(500, 300, 200), **changes):
    classes = [FoundClass(f"class {i}", str(i), count, 10) for i, count in enumerate(pixels)]
    source = {"name": "folder", "path": "mine", "classes": [each.name for each in classes]}
    found = Fingerprint(
        path=None, source=[Choice(f"dataset.{key}", value, "") for key, value in source.items()], findings=[],
        warnings=[], images=images or {"train": 356, "test": 84}, classes=classes, void_pixels=0, sampled=100,
        smallest=median, median=median, largest=median, channels={"8-bit RGB": 100}, stored_bytes=1 << 20, groups=None,
        raw_bytes=1 << 20, read_seconds=0.0002, decode_seconds=0.005,
    )  # fmt: skip
    return found._replace(**changes)


def proposed(found, minutes=2.0, weights=None, machine=CPU, trial=None, is_reachable=lambda url: False):
    return propose(DEFAULTS, found, machine, minutes, weights, trial or fake_trial(), is_reachable)


def values(choices):
    return {choice.key: choice.value for choice in choices}


@pytest.fixture(autouse=True)
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))


@pytest.fixture
def weights(tmp_path):
    return hdf5(tmp_path / "mobilenet_v2_1.0_224_no_top.weights.h5")


def hdf5(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        file["kernel"] = [1.0]
    return path


@given(
    median=st.tuples(PIXELS, PIXELS),
    images=st.fixed_dictionaries({"train": st.integers(3, 20_000)}, optional={"test": st.integers(1, 99)}),
    pixels=st.lists(st.integers(0, 10**9), min_size=2, max_size=20),
    minutes=st.floats(0.1, 10_000),
    machine=st.builds(
        Machine,
        cores=st.integers(1, 64),
        memory=st.none() | st.integers(4 << 30, 1 << 40),
        gpus=st.sampled_from([[], ["NVIDIA H100"]]),
        bfloat16=st.booleans(),
    ),
    is_reachable=st.booleans(),
)
def test_any_proposal_is_valid_with_reasons_of_one_line(median, images, pixels, minutes, machine, is_reachable):
    found = fingerprint(median, images, pixels)
    choices = proposed(found, minutes, machine=machine, is_reachable=lambda url: is_reachable)
    assert len(values(choices)) == len(choices)
    assert all(choice.reason and "\n" not in choice.reason and choice.reason[-1] != "." for choice in choices)
    params = with_choices(DEFAULTS, [*found.source, *choices])
    check_params(params, Path("params.yaml"))
    if machine.memory:
        assert fake_trial()(params).peak <= machine.memory
    size = params["preprocess"]["height"], params["preprocess"]["width"]
    assert size in sizes(median)


@given(height=PIXELS, width=PIXELS)
def test_sizes_are_multiples_of_the_stride_in_the_shape_of_the_image_and_no_larger(height, width):
    ladder = sizes((height, width))
    assert ladder == sorted(ladder)
    assert all(side % STRIDE == 0 for size in ladder for side in size)
    assert all(min(size) <= max(STRIDE, min(height, width) + STRIDE // 2) for size in ladder)
    if min(height, width) >= 160 and max(height, width) <= 2 * min(height, width):
        assert all(abs(aspect(size) / aspect((height, width)) - 1) <= 0.1 + 1e-6 for size in ladder)


@given(minutes=st.floats(0.5, 200), more=st.floats(1, 20), is_reachable=st.booleans())
def test_more_minutes_never_give_smaller_images_nor_fewer_steps_of_the_same(minutes, more, is_reachable):
    first, second = (
        values(proposed(fingerprint(), m, is_reachable=lambda _: is_reachable)) for m in (minutes, minutes * more)
    )
    assert first["preprocess.height"] <= second["preprocess.height"]
    if first["preprocess.height"] == second["preprocess.height"]:
        assert first["train.epochs"] <= second["train.epochs"]


@given(minutes=st.floats(1, 200))
def test_training_fits_into_the_time(minutes):
    chosen = proposed(fingerprint(), minutes)
    params = with_choices(DEFAULTS, chosen)
    cost, train, validation = fake_trial()(params), 320, 36
    steps = params["train"]["epochs"] * (train // params["train"]["batch_size"])
    seconds = 9.5 + steps * cost.step + params["train"]["epochs"] * (validation * cost.validation + 0.1)
    assert seconds <= 60 * minutes


def test_a_batch_that_does_not_fit_into_memory_is_halved():
    machine = CPU._replace(memory=2 << 30)
    trial = fake_trial(bytes_per_pixel=6_000)
    chosen = {choice.key: choice for choice in proposed(fingerprint((128, 128)), machine=machine, trial=trial)}
    assert chosen["train.batch_size"].value == 4
    assert "larger batches do not fit" in chosen["train.batch_size"].reason


def test_a_short_run_takes_smaller_batches_for_more_steps():
    trial = fake_trial(per_pixel=2e-6)
    short, long = ({c.key: c for c in proposed(fingerprint((128, 128)), m, trial=trial)} for m in (1.2, 20))
    assert (short["train.batch_size"].value, long["train.batch_size"].value) == (4, 8)
    assert "too few steps" in short["train.batch_size"].reason


def test_a_time_that_is_too_short_is_said_to_be():
    chosen = {choice.key: choice for choice in proposed(fingerprint(images={"train": 12}), minutes=0.1)}
    assert chosen["train.epochs"].value == 1
    assert "of 0.1 min; not even one pass fits" in chosen["train.epochs"].reason
    assert chosen["train.ema"].value == 0.0 and "too few" in chosen["train.ema"].reason


def test_a_batch_that_is_small_because_images_are_few_says_so():
    chosen = {choice.key: choice for choice in proposed(fingerprint(images={"train": 30}))}
    assert chosen["train.batch_size"].value == 3
    assert "larger batches of 15 images" in chosen["train.batch_size"].reason


def test_what_never_fits_is_refused_in_a_sentence():
    with pytest.raises(InputError, match=r"smallest images fits into memory; free some"):
        proposed(fingerprint(), trial=fake_trial(base=64 << 30))


def test_a_trial_that_is_refused_is_one_that_does_not_fit():
    def trial(params):
        if params["train"]["batch_size"] > 2:
            raise InputError("training needs about 9 GB more memory")
        return fake_trial()(params)

    assert values(proposed(fingerprint(), trial=trial))["train.batch_size"] == 2


def test_what_cannot_be_tried_says_why():
    def trial(params):
        raise InputError("a trial failed (ValueError: no such layer); choose other params.")

    with pytest.raises(InputError, match="no such layer"):
        proposed(fingerprint(), trial=trial)


def test_few_trials_are_made():
    tried = []

    def trial(params):
        tried.append(params)
        return fake_trial()(params)

    proposed(fingerprint((1000, 1500)), 120, trial=trial)
    assert len(tried) <= 3


def test_the_proposed_params_were_tried():
    tried = []

    def trial(params):
        tried.append(_without_equals(params))
        return fake_trial()(params)

    found = fingerprint((128, 128), images={"train": 24})
    chosen = proposed(found, 20, trial=trial)
    assert values(chosen)["preprocess.examples_per_shard"] != DEFAULTS["preprocess"]["examples_per_shard"]
    assert _without_equals(with_choices(DEFAULTS, [*found.source, *chosen])) in tried


def test_class_weights_are_for_classes_that_are_rare_by_far():
    assert values(proposed(fingerprint(pixels=(900, 90, 10))))["train.class_weights"] == "none"
    assert values(proposed(fingerprint(pixels=(100_000, 9_000, 10))))["train.class_weights"] == "median_frequency"


@pytest.mark.parametrize(("images", "validation", "test"), [(28, 0.3, 0.3), (356, 0.1, 0.2), (50_000, 0.01, 0.01)])
def test_held_out_shares_fit_the_number_of_images(images, validation, test):
    chosen = values(proposed(fingerprint(images={"train": images})))
    assert chosen["dataset.validation_fraction"] == pytest.approx(validation, abs=0.005)
    assert chosen["dataset.test_fraction"] == test


@pytest.mark.parametrize(("images", "least"), [({"train": 2}, 3), ({"train": 1, "test": 5}, 2)])
def test_each_split_needs_an_image(images, least):
    with pytest.raises(InputError, match=rf"^the data set has {images['train']} image.* at least {least} are needed"):
        proposed(fingerprint(images=images))
    assert proposed(fingerprint(images=images | {"train": least}))


def test_few_images_ask_for_folds():
    found = fingerprint(images={"train": 30})
    params = with_choices(DEFAULTS, [*found.source, *proposed(found)])
    few = few_warnings(images_by_role(params, found))
    assert few == [
        "validation will have 6 images, and test 9 images, so that the figures depend on chance; `maskline folds 5` "
        "tests on all images"
    ]
    assert not few_warnings({"train": 300, "validation": 20, "test": 20})


def test_splits_of_the_source_stay():
    chosen = values(proposed(fingerprint(images={"train": 300, "validation": 50, "test": 50})))
    assert not {"dataset.validation_fraction", "dataset.test_fraction"} & chosen.keys()


def test_classes_of_one_side_are_never_mirrored():
    sides = [FoundClass(f"kidney, {side}", side, 10, 10) for side in ("left", "right")]
    assert values(proposed(fingerprint(classes=sides)))["augment.flip"] is False
    assert values(proposed(fingerprint()))["augment.flip"] is True


def test_what_is_seen_often_is_varied_more():
    trial = fake_trial(per_pixel=2e-6)
    short, long = (values(proposed(fingerprint(), minutes, trial=trial)) for minutes in (1, 100))
    assert short["augment.scale"] == short["augment.contrast"] == 0.0
    assert long["augment.scale"] > 0 < long["augment.contrast"]
    few, many = (values(proposed(fingerprint(images={"train": n, "test": 20}), 600)) for n in (40, 20_000))
    assert few["augment.rotation"] > many["augment.rotation"] == 0
    assert few["augment.scale"] > many["augment.scale"]


def test_shapes_that_vary_much_are_padded():
    assert values(proposed(fingerprint(smallest=(500, 200), largest=(375, 500))))["preprocess.fit"] == "pad"
    assert values(proposed(fingerprint()))["preprocess.fit"] == "stretch"


def test_a_named_file_gives_its_encoder(weights):
    chosen = values(proposed(fingerprint(), weights=weights))
    assert (chosen["model.encoder"], chosen["model.encoder_weights"]) == ("mobilenet_v2", str(weights))


@pytest.mark.parametrize("encoder", [name for name in IMAGENET if not name.endswith("_bn")])
def test_published_files_are_recognized_by_their_names(encoder, tmp_path):
    assert encoder_of(hdf5(tmp_path / IMAGENET[encoder].url.rpartition("/")[2])) == encoder


def test_a_file_of_no_known_encoder_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"must begin with its encoder's, one of mobilenet_v2, .*'mine\.h5'$"):
        encoder_of(hdf5(tmp_path / "mine.h5"))
    with pytest.raises(InputError, match="does not exist; name an existing file"):
        encoder_of(tmp_path / "none.h5")


def test_weights_in_the_cache_come_before_those_of_the_host(tmp_path):
    hdf5(tmp_path / "keras/models" / IMAGENET["resnet50"].url.rpartition("/")[2])
    found = weights_at_hand(None, False, lambda url: True)
    assert (found.encoder, found.weights) == ("resnet50", "imagenet")
    assert "is in Keras's cache" in found.reason


def test_without_network_no_weights_are_proposed_and_the_reason_says_so():
    chosen = {choice.key: choice for choice in proposed(fingerprint())}
    assert chosen["model.encoder_weights"].value == "none"
    assert "storage.googleapis.com does not answer" in chosen["model.encoder_weights"].reason


def test_the_default_time_is_half_an_hour():
    assert proposed(fingerprint(), None) == proposed(fingerprint(), 30.0)


def test_precision_is_what_the_machine_is_fast_in():
    assert values(proposed(fingerprint()))["train.precision"] == "mixed_bfloat16"
    assert values(proposed(fingerprint(), machine=CPU._replace(bfloat16=False)))["train.precision"] == "float32"


def test_raw_shards_need_room_on_the_disk():

    def encoding(free):
        return values(storage(10_000, (256, 256), 2, free))["preprocess.encoding"]

    assert [encoding(free) for free in (1 << 40, 10 << 30, 1 << 30)] == ["raw", "png", "jpeg"]


def test_there_are_shards_enough_for_all_cores_and_none_is_large():
    few, many = (values(storage(images, (512, 512), 2, 1 << 50)) for images in (356, 100_000))
    assert few["preprocess.examples_per_shard"] == 32
    assert many["preprocess.examples_per_shard"] * 4 * 512 * 512 <= 64 << 20
