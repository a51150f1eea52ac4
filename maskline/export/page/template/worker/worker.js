"use strict";
// The work behind the page: it loads the network once, and then labels one image after the other.

let network; // {ort, session, width, height}
let queue = Promise.resolve();

onmessage = ({ data }) => {
  queue = queue.then(() => (data.packed ? load(data) : label(data)));
};

async function load({ packed, width, height }) {
  try {
    const [module, wasm, model] = await Promise.all([packed.module, packed.wasm, packed.model].map(unpack));
    const ort = await import(URL.createObjectURL(new Blob([module], { type: "text/javascript" })));
    ort.env.logLevel = "error";
    ort.env.wasm.numThreads = 1; // several need headers that only a server can send
    ort.env.wasm.wasmBinary = wasm;
    network = { ort, session: await ort.InferenceSession.create(model, { executionProviders: ["wasm"] }), width, height };
    postMessage({ ready: true });
  } catch (error) {
    postMessage({ ready: false, reason: error.message || String(error) });
  }
}

// Decode base 64, then decompress.
async function unpack(text) {
  const letters = atob(text);
  const bytes = new Uint8Array(letters.length);
  for (let i = 0; i < letters.length; i++) bytes[i] = letters.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

async function label({ id, file }) {
  if (!network) return;
  postMessage({ id, began: true });
  const start = performance.now();
  let image;
  try {
    image = await decodeImage(file);
    const { labels, classes } = await segment(image);
    const { width, height } = image;
    const pixels = countLabels(labels, classes);
    const rows = await compressedRows(labels, width, height);
    postMessage({ id, map: { width, height, pixels, rows, seconds: (performance.now() - start) / 1000 } }, [rows.buffer]);
  } catch (error) {
    const reason = image ? `${file.name} could not be labeled (${error.message || error}); try a smaller image.` : error.message;
    postMessage({ id, refused: reason });
  }
}

async function segment({ width, height, pixels }) {
  const { ort, session, width: inWidth, height: inHeight } = network;
  const data = new Uint8Array(resizeImage(pixels, width, height, inWidth, inHeight).buffer);
  const images = new ort.Tensor("uint8", data, [1, inHeight, inWidth, 3]);
  const { probabilities } = await session.run({ images }, ["probabilities"]);
  const [, outHeight, outWidth, classes] = probabilities.dims;
  const labels = labelPixels(probabilities.data, outWidth, outHeight, classes, width, height);
  return { labels, classes };
}

function countLabels(labels, classes) {
  const counts = new Array(classes).fill(0);
  for (const label of labels) counts[label]++;
  return counts;
}
