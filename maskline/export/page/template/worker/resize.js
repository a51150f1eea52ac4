"use strict";
// The bytes of Pillow's `Image.resize((width, height), BILINEAR)`: a triangle filter as wide as the pixels of the smaller
// image, along rows and along columns, with weights in fixed point and a result of 8 bits after each pass.

const PRECISION_BITS = 32 - 8 - 2;

// Return for each output position the first input position and the weights of it and those that follow it.
function triangleWeights(inSize, outSize) {
  const scale = inSize / outSize;
  const support = Math.max(scale, 1);
  return Array.from({ length: outSize }, (_, i) => {
    const center = (i + 0.5) * scale;
    const first = Math.max(0, Math.trunc(center - support + 0.5));
    const end = Math.min(inSize, Math.trunc(center + support + 0.5));
    const weights = [];
    let sum = 0;
    for (let j = first; j < end; j++) {
      const weight = Math.max(0, 1 - Math.abs((j - center + 0.5) * (1 / support)));
      weights.push(weight);
      sum += weight;
    }
    return { first, weights: Int32Array.from(weights, (weight) => Math.trunc(0.5 + (weight / sum) * (1 << PRECISION_BITS))) };
  });
}

// Resize RGBA pixels [height * width * 4] to RGB [outHeight * outWidth * 3]. Alpha has no meaning.
function resizeImage(pixels, width, height, outWidth, outHeight) {
  const columns = triangleWeights(width, outWidth);
  const rows = triangleWeights(height, outHeight);
  // The first pass rounds to 8 bits, so the order counts. This is the order of Pillow 13.
  const verticalFirst = height > outHeight && height - outHeight > 2 * (width - outWidth);
  const resized = verticalFirst
    ? resizeRows(resizeColumns(pixels, width * 4, rows), width, outHeight, columns)
    : resizeColumns(resizeRows(pixels, width, height, columns), outWidth * 4, rows);
  return resized.filter((_, i) => i % 4 < 3);
}

function resizeRows(pixels, width, height, columns) {
  const out = new Uint8ClampedArray(height * columns.length * 4);
  let place = 0;
  for (let y = 0; y < height; y++) {
    for (const { first, weights } of columns) {
      let red = 1 << (PRECISION_BITS - 1);
      let green = red;
      let blue = red;
      let from = (y * width + first) * 4;
      for (let k = 0; k < weights.length; k++, from += 4) {
        red += pixels[from] * weights[k];
        green += pixels[from + 1] * weights[k];
        blue += pixels[from + 2] * weights[k];
      }
      out[place] = red >> PRECISION_BITS;
      out[place + 1] = green >> PRECISION_BITS;
      out[place + 2] = blue >> PRECISION_BITS;
      place += 4;
    }
  }
  return out;
}

// `stride` is the number of values in a row.
function resizeColumns(values, stride, rows) {
  const out = new Uint8ClampedArray(rows.length * stride);
  let place = 0;
  for (const { first, weights } of rows) {
    for (let x = 0; x < stride; x++) {
      let sum = 1 << (PRECISION_BITS - 1);
      for (let k = 0, from = first * stride + x; k < weights.length; k++, from += stride) sum += values[from] * weights[k];
      out[place++] = sum >> PRECISION_BITS;
    }
  }
  return out;
}
