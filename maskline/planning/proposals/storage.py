"""How shards hold images: raw where the disk has room, and files of a size that is quick to copy and check."""

from maskline.planning.choice import Choice

_SHARE = {"raw": 1.0, "png": 0.4, "jpeg": 0.12}  # of a raw example, measured on photographs
_COPIES = 3  # the shards, DVC's cache, and what is being written
_SHARD = 64 << 20  # bytes
_SHARDS = 4  # for each core
_FEWEST = 16  # images


def storage(images: int, size: tuple[int, int], cores: int, free: int) -> list[Choice]:
    """Choose the encoding and the number of examples in a shard.

    Args:
        images: number of all images.
        size: height and width, pixels.
        cores: that write shards side by side.
        free: bytes on the disk.
    """
    raw = 4 * size[0] * size[1]  # three bytes of color and one of label for each pixel
    needed = {encoding: _COPIES * raw * images * share for encoding, share in _SHARE.items()}
    encoding = next((name for name, amount in needed.items() if amount < free / 2), "jpeg")
    speed = "the fastest to read" if encoding == "raw" else f"raw ones would take {needed['raw'] / 1e9:.3g} GB"
    example = raw * _SHARE[encoding]
    most = min(_SHARD / example, max(_FEWEST, images / (_SHARDS * cores)))
    examples = 1 << max(0, int(most).bit_length() - 1)
    return [
        Choice(
            "preprocess.encoding",
            encoding,
            f"{needed[encoding] / 1e9:.2g} GB with DVC's copies, of {free / 1e9:.3g} GB free; {speed}",
        ),
        Choice(
            "preprocess.examples_per_shard",
            examples,
            f"files of about {examples * example / 1e6:.2g} MB, and enough of them for all cores",
        ),
    ]
