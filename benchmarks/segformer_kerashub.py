"""Compare the SegFormers with KerasHub's, from equal random weights: parameters, and the difference of the logits.

    pip install keras-hub==0.32.0  # in an environment that also has this project's packages
    python benchmarks/segformer_kerashub.py  # B0 to B5: about 2 minutes of CPU

KerasHub 0.32 deviates from the authors' code: GELU is its approximation by tanh, and the normalization after each stage
has an epsilon of 1e-5 instead of 1e-6. The first difference is that of KerasHub as it is, the second that of KerasHub
with these two changed. In training it also drops 10 % of the attention weights and of the projected features, which the
authors do not. It takes square images alone.
"""

import argparse
import os
import sys
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import keras_hub
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from maskline.models.decoders.segformer import segformer
from maskline.models.encoders import mit
from maskline.models.interface import Features
from maskline.models.layers.resizing import Upsampling

CLASSES = 150


def ours(name: str, side: int) -> tuple[keras.Model, keras.Model]:
    """Return a whole network and its encoder."""
    encoder = mit.encoder(name)
    images = keras.Input((side, side, 3))
    decoded = segformer(Features(tuple(encoder(images)), mit.STRIDES, name), CLASSES, 64, 0.0)
    return keras.Model(images, Upsampling(decoded.stride)(decoded.logits)), encoder


def theirs(name: str, side: int) -> keras.Model:
    """Return KerasHub's network of the same size."""
    size = mit._SIZES[name]
    encoder = keras_hub.models.MiTBackbone(
        image_shape=(side, side, 3),
        num_layers=4,
        hidden_dims=list(size.channels),
        layerwise_depths=list(size.blocks),
        layerwise_num_heads=list(mit._HEADS),
        layerwise_sr_ratios=list(mit._REDUCTIONS),
        layerwise_patch_sizes=[7, 3, 3, 3],
        layerwise_strides=[4, 2, 2, 2],
        max_drop_path_rate=0.1,
    )
    channels = 256 if name in ("mit_b0", "mit_b1") else 768
    backbone = keras_hub.models.SegFormerBackbone(image_encoder=encoder, projection_filters=channels)
    return keras_hub.models.SegFormerImageSegmenter(backbone, CLASSES)


def encoder_layers(network: keras.Model) -> Iterator[tuple[str, keras.layers.Layer]]:
    """Return the layers with weights of KerasHub's encoder, with the names of the same layers of `mit.encoder`."""
    encoder = network.backbone.image_encoder
    norms = [layer for layer in encoder.layers if isinstance(layer, keras.layers.LayerNormalization)]
    for stage, blocks in enumerate(encoder.layerwise_depths):
        patches = encoder.get_layer(f"patch_and_embed_{stage}")
        yield f"patch_embeddings.{stage}.proj", patches.proj
        yield f"patch_embeddings.{stage}.layer_norm", patches.norm
        for index in range(blocks):
            block, name = encoder.get_layer(f"hierarchical_encoder_{stage}_{index}"), f"block.{stage}.{index}"
            yield f"{name}.layer_norm_1", block.norm1
            if block.attn.sr_ratio > 1:
                yield f"{name}.attention.self.sr", block.attn.sr
                yield f"{name}.attention.self.layer_norm", block.attn.norm
            yield f"{name}.attention.self.query", block.attn.q
            yield f"{name}.attention.self.key", block.attn.k
            yield f"{name}.attention.self.value", block.attn.v
            yield f"{name}.attention.output.dense", block.attn.proj
            yield f"{name}.layer_norm_2", block.norm2
            yield f"{name}.mlp.dense1", block.mlp.fc1
            yield f"{name}.mlp.dwconv.dwconv", block.mlp.dwconv
            yield f"{name}.mlp.dense2", block.mlp.fc2
        yield f"layer_norm.{stage}", norms[stage]


def decoder_layers(network: keras.Model) -> list[keras.layers.Layer]:
    """Return the layers with weights of KerasHub's decoder, in the order of those of `segformer`."""
    fuse, norm, _ = network.backbone.linear_fuse.layers
    return [*reversed(network.backbone.mlp_blocks), fuse, norm, network.output_segmentation_head]


def copy(layer: keras.layers.Layer, other: keras.layers.Layer) -> None:
    """Give a layer the weights of another; a linear layer's are those of a 1x1 convolution."""
    values = zip(other.get_weights(), layer.weights, strict=True)
    layer.set_weights([np.reshape(value, old.shape) for value, old in values])


def share(network: keras.Model, encoder: keras.Model, other: keras.Model, random: np.random.Generator) -> None:
    """Give both networks the same random weights."""
    for variable in other.weights:
        if "float" in str(variable.dtype):
            value = random.normal(0.0, 0.05, variable.shape)
            variable.assign(np.abs(value) + 0.5 if variable.name.startswith(("gamma", "moving_var")) else value)
    for name, layer in encoder_layers(other):
        copy(encoder.get_layer(name), layer)
    decoder = [layer for layer in network.layers if layer.weights and layer is not encoder]
    for own, layer in zip(decoder, decoder_layers(other), strict=True):
        copy(own, layer)


def follow_the_paper(network: keras.Model) -> None:
    """Let KerasHub's encoder have exact GELU, and the authors' epsilon after each stage."""
    keras.ops.nn.gelu = keras.activations.gelu
    for layer in network.backbone.image_encoder.layers:
        if isinstance(layer, keras.layers.LayerNormalization):
            layer.epsilon = 1e-6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=mit.NAMES, default=mit.NAMES, help="encoders; default: all")
    parser.add_argument("--side", type=int, default=128, help="height and width of the images; default: %(default)s")
    options = parser.parse_args()
    approximate = keras.ops.nn.gelu
    print("encoder  parameters ours  KerasHub's    encoder's  logits up to  differ by  with the paper's GELU, epsilon")
    for name in options.only:
        keras.ops.nn.gelu = approximate
        random = np.random.default_rng(0)
        network, encoder = ours(name, options.side)
        other = theirs(name, options.side)
        share(network, encoder, other, random)
        images = random.integers(0, 256, (2, options.side, options.side, 3)).astype(np.float32)
        standardized = (images / 255 - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)
        expected, found = network(images).numpy(), other(standardized, training=False).numpy()
        follow_the_paper(other)
        changed = other(standardized, training=False).numpy()
        counts = [sum(int(np.prod(v.shape)) for v in model.trainable_variables) for model in (network, other, encoder)]
        print(
            f"{name}  {counts[0]:15,}  {counts[1]:10,}  {counts[2]:11,}  {np.abs(expected).max():12.2f}"
            f"  {np.abs(found - expected).max():9.1e}  {np.abs(changed - expected).max():.1e}",
            flush=True,
        )


if __name__ == "__main__":
    main()
