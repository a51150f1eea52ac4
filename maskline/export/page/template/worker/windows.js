"use strict";
// Prediction in overlapping windows of the training size, as maskline/prediction/windows.py blends them.

// Return the windows along a side of `length` pixels: their first pixel, and their weight in each of their pixels.
function windowPlaces(length, window) {
  const size = Math.min(length, window);
  const stride = Math.floor(window / 2);
  const count = 1 - Math.floor((size - length) / stride);
  const starts = Array.from({ length: count }, (_, i) => Math.min(stride * i, length - size));
  const ramp = Array.from({ length: size }, (_, i) => Math.min(i + 1, size - i));
  const total = new Float32Array(length);
  for (const start of starts) ramp.forEach((weight, i) => (total[start + i] += weight));
  return starts.map((start) => ({ start, shares: Float32Array.from(ramp, (weight, i) => weight / total[start + i]) }));
}

// Return the blended probabilities, float32 [height * width * classes], of an image RGB [height * width * 3].
// `predict` is a function of RGB pixels, width and height that returns float32 [height * width * classes].
async function inWindows(predict, pixels, { width, height }, window, classes) {
  const out = new Float32Array(width * height * classes);
  for (const row of windowPlaces(height, window.height)) {
    for (const column of windowPlaces(width, window.width)) {
      const [rows, columns] = [row.shares.length, column.shares.length];
      const found = await predict(part(pixels, width, 3, column.start, row.start, columns, rows), columns, rows);
      for (let y = 0, from = 0; y < rows; y++) {
        let place = ((row.start + y) * width + column.start) * classes;
        for (let x = 0; x < columns; x++) {
          const weight = Math.fround(row.shares[y] * column.shares[x]);
          for (let c = 0; c < classes; c++) out[place++] += Math.fround(found[from++] * weight);
        }
      }
    }
  }
  return out;
}
