"use strict";
// From the network's probabilities to labels at the image's own size: resized as `tf.image.resize` does, then argmax.

// Return for each output position its two neighbors and the share of the second, with half-pixel centers in float32.
function neighbors(inSize, outSize) {
  const scale = Math.fround(inSize / outSize);
  return Array.from({ length: outSize }, (_, i) => {
    const center = Math.fround(Math.fround(Math.fround(i + 0.5) * scale) - 0.5);
    const low = Math.floor(center);
    return { low: Math.max(low, 0), high: Math.min(Math.ceil(center), inSize - 1), share: Math.fround(center - low) };
  });
}

// Return labels, uint8 [height * width], of probabilities, float32 [inHeight * inWidth * classes].
function labelPixels(probabilities, inWidth, inHeight, classes, width, height) {
  const columns = neighbors(inWidth, width);
  const labels = new Uint8Array(height * width);
  const kept = new Map(); // resized rows by their number
  const resized = (row) => {
    if (!kept.has(row)) {
      const line = probabilities.subarray(row * inWidth * classes, (row + 1) * inWidth * classes);
      kept.set(row, resizeLine(line, classes, columns));
    }
    return kept.get(row);
  };
  neighbors(inHeight, height).forEach(({ low, high, share }, y) => {
    for (const row of kept.keys()) if (row < low) kept.delete(row);
    labelLine(labels.subarray(y * width, (y + 1) * width), resized(low), resized(high), share, classes);
  });
  return labels;
}

function resizeLine(line, classes, columns) {
  const out = new Float32Array(columns.length * classes);
  columns.forEach(({ low, high, share }, x) => {
    for (let c = 0; c < classes; c++) {
      out[x * classes + c] = between(line[low * classes + c], line[high * classes + c], share);
    }
  });
  return out;
}

// Of equal probabilities, the first class wins.
function labelLine(labels, top, bottom, share, classes) {
  for (let x = 0, from = 0; x < labels.length; x++, from += classes) {
    let best = 0;
    let highest = -Infinity;
    for (let c = 0; c < classes; c++) {
      const value = between(top[from + c], bottom[from + c], share);
      if (value > highest) {
        highest = value;
        best = c;
      }
    }
    labels[x] = best;
  }
}

// Every step is rounded to float32, as in TensorFlow and NumPy.
function between(low, high, share) {
  return Math.fround(low + Math.fround(Math.fround(high - low) * share));
}
