"""First training steps of every network and loss on this worker's part of a batch; run by `workers`.

`python replica_steps.py OUT RANK [CASE ...]` writes OUT/RANK.npz, of all cases if none is named.
"""

import json
import os
import sys
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from networks import NAMES, build, scenes
from test_training import params

from maskline.contracts.classes import VOID
from maskline.engine import replicas
from maskline.models.layers.dropout import Dropout, MonteCarloDropout
from maskline.models.layers.normalization import BatchNormalization
from maskline.params.train import LossParams
from maskline.training.losses import named_losses, weighted_sum
from maskline.training.trainer import Trainer

RATE = 0.1  # of plain gradient descent, which does not magnify the rounding of gradients near 0
LONGEST = 1.0  # gradient, to which longer ones are clipped
WEIGHTS = np.array([0.5, 2.0, 1.0], np.float32)  # of the classes
BATCHES = ("mixed", "half void", "all void")
# Skips that add and that join, unpooling and dropout in the encoder, an auxiliary loss, dilation, and points. The other
# networks combine these.
STEPPED = ("unet", "fcn8s", "bayesian_segnet", "pspnet", "deeplabv3plus", "pointrend")
# Variants of networks: a name, the arguments of `build`, and the number of images.
VARIANTS: dict[str, tuple[str, dict, int]] = {
    **{name: (name, {"dropout": 0.3}, 4) for name in STEPPED},
    "pspnet, one image a worker": ("pspnet", {}, 2),
    "fcn32s, bfloat16": ("fcn32s", {"precision": "mixed_bfloat16"}, 4),
    "fcn32s, float16": ("fcn32s", {"precision": "mixed_float16"}, 4),
    "fcn32s, frozen": ("fcn32s", {"freeze_encoder": True}, 4),
    "fcn32s, frozen normalization": ("fcn32s", {"freeze_normalization": True}, 4),
}
Results = dict[str, np.ndarray]


def one(name: str) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """Return the function of a loss on its own."""
    config = params(loss=dict.fromkeys(LossParams.model_fields, 0.0) | {name: 1.0})
    return weighted_sum(config.loss.model_dump(), named_losses(config.loss_options, WEIGHTS))


def batch(kind: str, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return images uint8 [count, 64, 64, 3] and labels uint8 [count, 64, 64]."""
    images, labels = (part[:count] for part in scenes())
    labels = labels.astype(np.uint8)
    labels[0, :9] = VOID
    if kind != "mixed":
        labels[(count // 2 if kind == "half void" else 0) :] = VOID
    return images, labels


def loss_results(name: str, kind: str) -> Results:
    """Return a loss, and this worker's part of its gradient, for logits that are noise."""
    labels = batch(kind, 4)[1]
    logits = np.random.default_rng(7).normal(0, 2, (*labels.shape, len(NAMES))).astype(np.float32)
    own = [replicas.own_rows(tf.constant(part)) for part in (labels, logits)]
    (loss, gradient), again = ([value.numpy() for value in loss_step(name)(*own)] for _ in range(2))
    same = np.array_equal(loss, again[0]) and np.array_equal(gradient, again[1])
    return {"loss": loss, "gradient": gradient, "reruns": np.array(same)}


@cache
def loss_step(name: str) -> Callable[[tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]:
    """Return the function of a loss and its gradient, which is traced once for all batches."""
    loss_of = one(name)

    @tf.function(autograph=False)
    def step(labels: tf.Tensor, logits: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(logits)
            loss = loss_of(labels, logits)
            counted = replicas.counted_once(loss)
        return loss, tape.gradient(counted, logits)

    return step


def layer_results(layer: Callable[[], keras.Layer]) -> Results:
    """Return this worker's outputs and gradients of a layer in training, and its variables afterwards."""
    keras.utils.set_random_seed(3)
    made, random = layer(), np.random.default_rng(1)
    x, outer = (tf.constant(random.normal(3, 2, (4, 5, 6, 3)), tf.float32) for _ in range(2))
    made.build(x.shape)
    for variable in made.trainable_variables:
        variable.assign(random.uniform(0.5, 2, variable.shape))

    @tf.function(autograph=False)
    def step(x: tf.Tensor, outer: tf.Tensor) -> tuple[tf.Tensor, list[tf.Tensor]]:
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs = made(x, training=True)
        return outputs, tape.gradient(outputs, [x, *made.trainable_variables], output_gradients=outer)

    outputs, (gradient, *others) = step(replicas.own_rows(x), replicas.own_rows(outer))
    found = {f"{index:04} {value.name}": value.numpy() for index, value in enumerate(made.variables)}
    found |= {f"summed {index}": replicas.all_sum(value).numpy() for index, value in enumerate(others)}
    return {"outputs": outputs.numpy(), "gradient": gradient.numpy(), **found}


def network_results(variant: str, towers: int = 1) -> Results:
    """Return the first step's loss, all variables after it, and whether a second run of it gives the same bytes."""
    architecture, changes, count = VARIANTS[variant]
    model = build(architecture, **changes)
    plain = keras.optimizers.SGD(RATE, global_clipnorm=LONGEST)
    half = changes.get("precision") == "mixed_float16"
    optimizer = keras.optimizers.LossScaleOptimizer(plain) if half else plain
    trainer = Trainer(model, one("cross_entropy"), optimizer, 0.9, 0.5, towers)
    own = [replicas.own_rows(tf.constant(part)) for part in batch("mixed", count)]
    first = trainer.values()
    results = [step_results(trainer, own, first) for _ in range(2)]
    same = all(np.array_equal(results[0][name], results[1][name]) for name in results[0])
    return {**results[0], "reruns": np.array(same), "exchanges": exchanges(trainer, count // replicas.count())}


def step_results(trainer: Trainer, own: list[tf.Tensor], first: list[np.ndarray]) -> Results:
    """Return loss and variables after a step from these variables."""
    trainer.assign(first)
    trainer.step(*own)
    values = trainer.model.variables
    return {
        "loss": trainer.loss_sum.numpy(),
        **{f"{index:04} {value.name}": value.numpy() for index, value in enumerate(values)},
        **{f"first {index:04}": before for index, before in enumerate(first[: len(values)])},
    }


def exchanges(trainer: Trainer, rows: int) -> np.ndarray:
    """Return the operations between the workers in the order of their making."""
    operations = trainer.graph(rows, 64, 64).get_operations()
    found = [each for each in operations if each.type.startswith("Collective")]
    return np.array([f"{each.type} {each.inputs[0].shape}" for each in found])


LAYERS: dict[str, Callable[[], keras.Layer]] = {
    "batch normalization": BatchNormalization,
    "dropout": partial(MonteCarloDropout, 0.4),
    "dropout of channels": partial(MonteCarloDropout, 0.4, spatial=True),
    "dropout of images": partial(Dropout, 0.4, noise_shape=(None, 1, 1, 1)),
}
CASES: dict[str, Callable[[], Results]] = {
    **{name: partial(layer_results, layer) for name, layer in LAYERS.items()},
    **{f"{name}, {kind}": partial(loss_results, name, kind) for name in LossParams.model_fields for kind in BATCHES},
    **{variant: partial(network_results, variant) for variant in VARIANTS},
}


def main() -> None:
    """Join the other workers that TF_CONFIG names, and write the results as arrays named 'case|name'."""
    out, rank, *cases = sys.argv[1:]
    count = len(json.loads(os.environ["TF_CONFIG"])["cluster"]["worker"])
    if count > 1:
        tf.distribute.MultiWorkerMirroredStrategy()
    tf.config.experimental.enable_op_determinism()
    replicas.join(int(rank), count)
    found = {f"{case}|{name}": value for case in cases or CASES for name, value in CASES[case]().items()}
    np.savez(Path(out) / f"{rank}.npz", **found)


if __name__ == "__main__":
    main()
