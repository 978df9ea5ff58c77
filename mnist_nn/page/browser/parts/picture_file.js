// Pictures from files: dropped onto the page, opened by a button, or pasted.

import { html } from "./dom.js";
import { Unreadable } from "./photograph.js";

const MOST_PIXELS = 50_000_000;
const LONGEST = 1000; // pixels: larger pictures are scaled down to it

// Let the user open a picture. `read` gets its grey levels, {values, width, height}: 0 for black. `refuse` gets a sentence
// about a file that is no picture, or for which `read` throws Unreadable. Returns the button.
export function mountPictureFiles(read, refuse) {
  const open = async ([file, ...more]) => {
    try {
      if (more.length) throw new Unreadable("is one of several files; the page reads one, and nn predict all of them");
      read(await greyOf(file));
    } catch (error) {
      if (!(error instanceof Unreadable)) throw error;
      refuse(`${file.name} ${error.message}.`);
    }
  };
  const input = html("input", {
    type: "file",
    accept: "image/*",
    hidden: true,
    change: () => {
      if (input.files.length) open(input.files);
      input.value = ""; // so that the same file can be opened again
    },
  });
  // Anywhere on the page, because a file beside the sheet would replace the page.
  const has = ({ dataTransfer }) => dataTransfer.types.includes("Files");
  const mark = (isOver) => document.body.classList.toggle("is-dropping", isOver);
  document.addEventListener("dragover", (event) => {
    if (!has(event)) return;
    event.preventDefault();
    mark(true);
  });
  document.addEventListener("dragleave", ({ relatedTarget }) => mark(relatedTarget !== null));
  document.addEventListener("drop", (event) => {
    mark(false);
    if (!has(event)) return;
    event.preventDefault();
    open(event.dataTransfer.files);
  });
  document.addEventListener("paste", ({ clipboardData }) => {
    if (clipboardData.files.length) open(clipboardData.files);
  });
  return html("button", { type: "button", id: "open", click: () => input.click() }, "open one", input);
}

// The grey levels of a picture file. What is transparent becomes white, or black below bright ink.
async function greyOf(file) {
  const options = { colorSpaceConversion: "none", premultiplyAlpha: "none" };
  const bitmap = await createImageBitmap(file, options).catch(() => {
    throw new Unreadable("is not a picture that this browser can read; save it as PNG or JPEG");
  });
  if (bitmap.width * bitmap.height > MOST_PIXELS) {
    throw new Unreadable("has more than 50 million pixels; make it smaller");
  }
  const scale = Math.min(1, LONGEST / Math.max(bitmap.width, bitmap.height));
  const [width, height] = [bitmap.width, bitmap.height].map((extent) => Math.max(1, Math.round(scale * extent)));
  const context = html("canvas", { width, height }).getContext("2d", { willReadFrequently: true });
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, width, height);
  bitmap.close();
  const { data } = context.getImageData(0, 0, width, height);
  const values = new Uint8Array(width * height);
  let [opaque, bright] = [0, 0];
  values.forEach((_, i) => {
    const [red, green, blue, alpha] = data.subarray(4 * i, 4 * i + 4);
    values[i] = Math.round(0.299 * red + 0.587 * green + 0.114 * blue);
    opaque += alpha;
    bright += alpha * values[i];
  });
  const below = bright < 128 * opaque ? 255 : 0;
  return { values: values.map((value, i) => below + (data[4 * i + 3] / 255) * (value - below)), width, height };
}
