"use strict";
// An indexed PNG, which a canvas cannot write: a pixel is the label of its class, and the palette holds the colors.

const CRC_TABLE = Int32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

function crc32(bytes) {
  let value = -1;
  for (const byte of bytes) value = CRC_TABLE[(value ^ byte) & 255] ^ (value >>> 8);
  return ~value >>> 0;
}

function pngChunk(kind, data) {
  const chunk = new Uint8Array(12 + data.length);
  const view = new DataView(chunk.buffer);
  view.setUint32(0, data.length);
  for (let i = 0; i < 4; i++) chunk[4 + i] = kind.charCodeAt(i);
  chunk.set(data, 8);
  view.setUint32(8 + data.length, crc32(chunk.subarray(4, 8 + data.length)));
  return chunk;
}

// Return the zlib stream of labels [height * width], as a PNG holds it: each row after a 0, for no filter.
async function compressedRows(labels, width, height) {
  const rows = new Uint8Array(height * (width + 1));
  for (let y = 0; y < height; y++) rows.set(labels.subarray(y * width, (y + 1) * width), y * (width + 1) + 1);
  const stream = new Blob([rows]).stream().pipeThrough(new CompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// Return the file as a Blob. `colors` are [red, green, blue] of each label, `hidden` the labels that are transparent.
function indexedPng({ width, height, rows }, colors, hidden = new Set()) {
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header.set([8, 3, 0, 0, 0], 8); // 8 bits a pixel, a palette
  const alpha = Uint8Array.from(colors, (_, label) => (hidden.has(label) ? 0 : 255));
  return new Blob(
    [
      Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a),
      pngChunk("IHDR", header),
      pngChunk("PLTE", Uint8Array.from(colors.flat())),
      ...(hidden.size ? [pngChunk("tRNS", alpha)] : []),
      pngChunk("IDAT", rows),
      pngChunk("IEND", new Uint8Array(0)),
    ],
    { type: "image/png" },
  );
}
