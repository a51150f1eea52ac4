"use strict";
// The work behind the page: it loads the network once, and then labels one image after the other.

let network; // {ort, session, classes, made: {width, height, fit}}
let queue = Promise.resolve();

onmessage = ({ data }) => {
  queue = queue.then(() => (data.packed ? load(data) : label(data)));
};

async function load({ packed, classes, made }) {
  try {
    const [module, wasm, model] = await Promise.all([packed.module, packed.wasm, packed.model].map(unpack));
    const ort = await import(URL.createObjectURL(new Blob([module], { type: "text/javascript" })));
    ort.env.logLevel = "error";
    ort.env.wasm.numThreads = 1; // several need headers that only a server can send
    ort.env.wasm.wasmBinary = wasm;
    network = { ort, session: await ort.InferenceSession.create(model, { executionProviders: ["wasm"] }), classes, made };
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
    const labels = await segment(image);
    const { width, height } = image;
    const pixels = countLabels(labels, network.classes);
    const rows = await compressedRows(labels, width, height);
    postMessage({ id, map: { width, height, pixels, rows, seconds: (performance.now() - start) / 1000 } }, [rows.buffer]);
  } catch (error) {
    const remedy = error instanceof TooLong ? "cut it into shorter images" : "try a smaller image";
    const reason = image ? `${file.name} could not be labeled (${error.message || error}); ${remedy}.` : error.message;
    postMessage({ id, refused: reason });
  }
}

async function segment({ width, height, pixels }) {
  const { classes, made } = network;
  const scaled = scaledSize(width, height, made);
  const small = resizeImage(pixels, width, height, scaled.width, scaled.height);
  const probabilities = await (made.fit === "crop" ? inWindows(predict, small, scaled, made, classes) : predictFitted(small, scaled));
  return labelPixels(probabilities, scaled.width, scaled.height, classes, width, height);
}

// Return the probabilities of the part of the network's input that shows the image.
async function predictFitted(small, scaled) {
  const { classes, made } = network;
  const found = await predict(padded(small, scaled, made), made.width, made.height);
  return middlePart(found, made, scaled, classes);
}

// Return float32 [height * width * classes] for pixels RGB [height * width * 3].
async function predict(pixels, width, height) {
  const { ort, session } = network;
  const images = new ort.Tensor("uint8", new Uint8Array(pixels.buffer), [1, height, width, 3]);
  return (await session.run({ images }, ["probabilities"])).probabilities.data;
}

function countLabels(labels, classes) {
  const counts = new Array(classes).fill(0);
  for (const label of labels) counts[label]++;
  return counts;
}
