"use strict";
// How an image of any shape fits into the size of the training images, as maskline/contracts/fit.py states it.

const MOST_TRAINING_IMAGES = 64; // that a whole image may cover where their middle is cut out

class TooLong extends Error {}

// Return the size {width, height} to which a whole image is resized; `made` is {width, height, fit}.
function scaledSize(width, height, made) {
  if (made.fit === "stretch") return { width: made.width, height: made.height };
  const rounded = (dividend, divisor) => Math.max(1, Math.floor((2 * dividend + divisor) / (2 * divisor)));
  const isTall = height * made.width > width * made.height;
  const scaled =
    isTall === (made.fit === "pad")
      ? { width: rounded(width * made.height, height), height: made.height }
      : { width: made.width, height: rounded(height * made.width, width) };
  if (scaled.width * scaled.height > MOST_TRAINING_IMAGES * made.width * made.height) throw new TooLong("it is too long for this model");
  return scaled;
}

// Return an image RGB [height * width * 3] in the middle of one of the size of `made`, mirrored around it.
function padded(pixels, { width, height }, made) {
  const out = new Uint8ClampedArray(made.width * made.height * 3);
  const columns = mirrored(width, made.width);
  let place = 0;
  for (const row of mirrored(height, made.height)) {
    for (const column of columns) {
      const from = (row * width + column) * 3;
      for (let c = 0; c < 3; c++) out[place++] = pixels[from + c];
    }
  }
  return out;
}

// Return for each of `outer` positions the one of `inner` in their middle that it shows.
function mirrored(inner, outer) {
  const start = Math.floor((outer - inner) / 2);
  const period = 2 * inner;
  return Array.from({ length: outer }, (_, i) => {
    const at = (((i - start) % period) + period) % period;
    return at < inner ? at : period - 1 - at;
  });
}

// Return the middle, of the size {width, height}, of values with `channels` a pixel, `outer` wide and high.
function middlePart(values, outer, { width, height }, channels) {
  if (outer.width === width && outer.height === height) return values;
  return part(values, outer.width, channels, Math.floor((outer.width - width) / 2), Math.floor((outer.height - height) / 2), width, height);
}

function part(values, outerWidth, channels, left, top, width, height) {
  const out = new values.constructor(width * height * channels);
  for (let y = 0; y < height; y++) {
    const from = ((top + y) * outerWidth + left) * channels;
    out.set(values.subarray(from, from + width * channels), y * width * channels);
  }
  return out;
}
