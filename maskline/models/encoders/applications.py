"""The classification networks of keras.applications as encoders: their feature layers and input normalization."""

from collections.abc import Callable
from typing import NamedTuple

import keras
from keras import layers

from maskline.models.encoders.dilation import NO_MULTI_GRID, dilated, same_padding
from maskline.models.layers.normalization import fused

Normalization = Callable[[keras.KerasTensor], keras.KerasTensor]

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, RGB in 0..1
_CAFFE_MEAN = (103.939, 116.779, 123.68)  # of ImageNet, BGR in 0..255


def minus_one_to_one(images: keras.KerasTensor) -> keras.KerasTensor:
    """RGB 0..255 to -1..1."""
    return layers.Rescaling(1 / 127.5, offset=-1.0, dtype="float32")(images)


def caffe(images: keras.KerasTensor) -> keras.KerasTensor:
    """RGB 0..255 to BGR minus ImageNet's mean."""
    return layers.Rescaling(1.0, offset=[-mean for mean in _CAFFE_MEAN], dtype="float32")(images[..., ::-1])


def standardized(images: keras.KerasTensor) -> keras.KerasTensor:
    """RGB 0..255 to ImageNet's mean 0 and standard deviation 1."""
    scale = [1 / (255 * std) for std in _STD]
    offset = [-mean / std for mean, std in zip(_MEAN, _STD, strict=True)]
    return layers.Rescaling(scale, offset=offset, dtype="float32")(images)


def _inside(images: keras.KerasTensor) -> keras.KerasTensor:
    """The network has its own normalization."""
    return images


class Backbone(NamedTuple):
    """A network of keras.applications.

    Attributes:
        build: its function in keras.applications.
        normalization: function from RGB 0..255 to the input that its ImageNet weights expect.
        features: names of the feature layers, from shallow to deep, with strides that double up to 32.
    """

    build: Callable[..., keras.Model]
    normalization: Normalization
    features: tuple[str, ...]

    @property
    def strides(self) -> tuple[int, ...]:
        """The strides of the features."""
        return tuple(32 >> level for level in reversed(range(len(self.features))))


def _resnet(build: Callable[..., keras.Model], blocks: tuple[int, ...]) -> Backbone:
    stages = (f"conv{stage}_block{block}_out" for stage, block in enumerate(blocks, 2))
    return Backbone(build, caffe, ("conv1_relu", *stages))


def _vgg(build: Callable[..., keras.Model], deep: int) -> Backbone:
    """Return the last convolution before each pooling, and the last pooling."""
    layers_in_block = (2, 2, deep, deep, deep)
    convolutions = (f"block{block}_conv{last}" for block, last in enumerate(layers_in_block, 1))
    return Backbone(build, caffe, (*convolutions, "block5_pool"))


_apps = keras.applications
BACKBONES = {
    # The feature layers of TensorFlow's segmentation tutorial.
    "mobilenet_v2": Backbone(
        _apps.MobileNetV2,
        minus_one_to_one,
        (
            "block_1_expand_relu",
            "block_3_expand_relu",
            "block_6_expand_relu",
            "block_13_expand_relu",
            "block_16_project",
        ),
    ),
    "resnet50": _resnet(_apps.ResNet50, (3, 4, 6, 3)),
    "resnet101": _resnet(_apps.ResNet101, (3, 4, 23, 3)),
    "resnet152": _resnet(_apps.ResNet152, (3, 8, 36, 3)),
    "vgg16": _vgg(_apps.VGG16, 3),
    "vgg19": _vgg(_apps.VGG19, 4),
    "densenet121": Backbone(
        _apps.DenseNet121, standardized, ("conv1_relu", "pool2_relu", "pool3_relu", "pool4_relu", "relu")
    ),
    "efficientnet_b0": Backbone(
        _apps.EfficientNetB0,
        _inside,
        (
            "block2a_expand_activation",
            "block3a_expand_activation",
            "block4a_expand_activation",
            "block6a_expand_activation",
            "top_activation",
        ),
    ),
    "efficientnet_v2_b0": Backbone(
        _apps.EfficientNetV2B0,
        _inside,
        ("block1a_project_activation", "block2b_add", "block3b_add", "block5e_add", "top_activation"),
    ),
    "xception": Backbone(
        _apps.Xception,
        minus_one_to_one,
        (
            "block1_conv2_act",
            "block3_sepconv2_act",
            "block4_sepconv2_act",
            "block13_sepconv2_act",
            "block14_sepconv2_act",
        ),
    ),
}


def network(name: str, output_stride: int, multi_grid: tuple[int, int, int] = NO_MULTI_GRID) -> keras.Model:
    """Return the network without its classifier, with random weights and an output stride of 8, 16 or 32."""
    built = BACKBONES[name].build(input_shape=(None, None, 3), include_top=False, weights=None)
    if name == "xception":
        built = same_padding(built, "block1_conv[12]")
    if output_stride < 32 or multi_grid != NO_MULTI_GRID:
        built = dilated(built, output_stride, multi_grid)
    return built


def features(name: str, built: keras.Model) -> keras.Model:
    """Return the model from images RGB 0..255 to the network's features, from shallow to deep."""
    backbone = BACKBONES[name]
    outputs = [built.get_layer(layer).output for layer in backbone.features]
    images = keras.Input((None, None, 3))
    if name == "efficientnet_b0":
        # The ImageNet weights were trained with this step, which keras.applications adds only if it loads them itself.
        normalized = next(layer.output for layer in built.layers if isinstance(layer, layers.Normalization))
        scaled = layers.Rescaling([std**-0.5 for std in _STD], dtype="float32")(
            keras.Model(built.input, normalized)(images)
        )
        return keras.Model(images, fused(keras.Model(normalized, outputs))(scaled), name=name)
    extractor = fused(keras.Model(built.input, outputs))
    return keras.Model(images, extractor(backbone.normalization(images)), name=name)
