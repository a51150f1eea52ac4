"use strict";
// From an image file to the pixels that preprocess reads: upright, not color managed, and alpha dropped.

const MOST_PIXELS = 64e6; // the largest canvas of every browser is larger

// Return {width, height, pixels}, with pixels uint8 RGBA [height * width * 4]; alpha has no meaning.
async function decodeImage(file) {
  const bitmap = await openBitmap(file);
  try {
    const { width, height } = bitmap;
    if (width * height > MOST_PIXELS) {
      throw new Error(
        `${file.name} has ${width} × ${height} pixels, and this page takes up to ${MOST_PIXELS / 1e6} million; ` +
          "use `maskline predict`, which takes images of any size.",
      );
    }
    const pixels = canvasPixels(bitmap);
    return { width, height, pixels: isOpaque(pixels) ? pixels : transparentPixels(bitmap, file.name) };
  } finally {
    bitmap.close();
  }
}

async function openBitmap(file) {
  try {
    return await createImageBitmap(file, {
      colorSpaceConversion: "none",
      premultiplyAlpha: "none",
      imageOrientation: "from-image",
    });
  } catch {
    const received = file.size ? file.type || "a file of unknown type" : "0 bytes";
    throw new Error(`${file.name} is not an image that this browser can open. Received: ${received}; save it as PNG or JPEG.`);
  }
}

function canvasPixels(bitmap) {
  const { width, height } = bitmap;
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  return context.getImageData(0, 0, width, height).data;
}

function isOpaque(pixels) {
  for (let i = 3; i < pixels.length; i += 4) if (pixels[i] < 255) return false;
  return true;
}

// A 2D canvas multiplies colors by alpha and so loses those of transparent pixels; a texture keeps them.
function transparentPixels(bitmap, name) {
  const { width, height } = bitmap;
  const gl = new OffscreenCanvas(1, 1).getContext("webgl2");
  if (!gl || Math.max(width, height) > gl.getParameter(gl.MAX_TEXTURE_SIZE)) {
    throw new Error(`${name} has transparent pixels, whose colors this browser cannot read; save it without transparency.`);
  }
  gl.pixelStorei(gl.UNPACK_PREMULTIPLY_ALPHA_WEBGL, false);
  gl.pixelStorei(gl.UNPACK_COLORSPACE_CONVERSION_WEBGL, gl.NONE);
  const texture = gl.createTexture();
  gl.bindTexture(gl.TEXTURE_2D, texture);
  gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, bitmap);
  gl.bindFramebuffer(gl.FRAMEBUFFER, gl.createFramebuffer());
  gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, texture, 0);
  const pixels = new Uint8Array(width * height * 4);
  gl.readPixels(0, 0, width, height, gl.RGBA, gl.UNSIGNED_BYTE, pixels);
  gl.getExtension("WEBGL_lose_context")?.loseContext();
  return pixels;
}
