"""Bytes of images and masks: an array of the size that they say, or one sentence."""

import io
import warnings

import numpy as np
from harm import attack, sentence
from hypothesis import strategies as st
from PIL import Image
from raw_data import encoded, scene, source

from maskline.shards.decode import decode_image, decode_mask

LABELS = scene(np.random.default_rng(0), 20, 24)
RGB = np.repeat(LABELS[..., None], 3, axis=2)
EXIF = Image.Exif()
EXIF[0x0112] = 6
SEEDS = [
    encoded(LABELS),
    encoded(RGB),
    encoded(RGB, "jpeg"),
    encoded(RGB, "jpeg", exif=EXIF),
    encoded(RGB, "png", exif=EXIF),
]
SEEDS += [encoded(Image.fromarray(LABELS).convert(mode)) for mode in ("1", "P", "LA", "RGBA", "I;16")]
SEEDS += [encoded(RGB, "jpeg", progressive=True), encoded(Image.fromarray(RGB).convert("CMYK"), "jpeg")]


@st.composite
def spoiled(draw: st.DrawFn) -> bytes:
    """Return an image's file with bytes changed, put in, taken out, or cut off."""
    data = draw(st.sampled_from(SEEDS))
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, min(len(data), draw(st.sampled_from([60, len(data)])))))
        data = data[:place] + draw(st.binary(max_size=5)) + data[place + draw(st.integers(0, 5)) :]
    return data[: draw(st.integers(0, len(data)))] if draw(st.integers(0, 4)) == 0 else data


def main() -> None:
    """Attack."""
    warnings.simplefilter("ignore")
    about = source()
    assert io.BytesIO(SEEDS[0]).read(1)

    def read(data: bytes) -> None:
        sentence(lambda: decode_image(data, "a.png").image.load())
        sentence(lambda: decode_mask(data, "a.png", about))

    attack(spoiled() | st.binary(max_size=99), read)


if __name__ == "__main__":
    main()
