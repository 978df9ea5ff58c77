// Turns a drawing into the picture that the network sees. It is prepared like MNIST's digits: the box around the ink is
// scaled to fit 20 × 20 pixels, and placed in 28 × 28 pixels by its centre of mass. All sums are of whole numbers, so that
// the bytes are those of data_scripts/mnist_recipe.py.

const PEN = 0.08; // width of the pen, as a share of the sheet's width

// Return the ink as a picture of side × side bytes. `ink` has a number from 0 to 1 for each of the sheet × sheet pixels.
// A blank sheet gives a blank picture.
export function centred(ink, sheet, side) {
  const grey = Uint8Array.from(ink, (value) => Math.floor(255 * value + 0.5));
  const picture = new Uint8Array(side * side);
  const box = boundingBox(grey, sheet);
  if (!box) return picture;
  const inner = Math.round((side * 20) / 28);
  const [across, down] = [box.right - box.left, box.bottom - box.top];
  const longest = Math.max(across, down);
  const [width, height] = [across, down].map((extent) =>
    Math.max(1, Math.floor((2 * inner * extent + longest) / (2 * longest))),
  );
  const sums = covered(grey, sheet, box, width, height);
  const most = sums.reduce((one, other) => Math.max(one, other));
  const small = sums.map((sum) => Math.floor((510 * sum + most) / (2 * most)));
  let [mass, x, y] = [0, 0, 0]; // x and y: twice the sums of places, times the ink there
  small.forEach((value, i) => {
    mass += value;
    x += value * (2 * (i % width) + 1);
    y += value * (2 * Math.floor(i / width) + 1);
  });
  // The pixel in which the centre of mass lies comes to the middle: of 28 pixels to pixel 14, counted from 0.
  const middle = Math.floor(side / 2);
  const corner = (twice, length) => within(middle - Math.floor(twice / (2 * mass)), side - length);
  const [left, top] = [corner(x, width), corner(y, height)];
  small.forEach((value, i) => {
    picture[(top + Math.floor(i / width)) * side + left + (i % width)] = value;
  });
  return picture;
}

// Return the picture sheared upright, like the network's examples; the formula is in mnist_nn/examples/deslanting.py.
export function deslanted(picture, side) {
  const middle = (side - 1) / 2;
  let [total, x, y, xy, yy] = [0, 0, 0, 0, 0];
  picture.forEach((value, i) => {
    const across = (i % side) - middle;
    const down = Math.floor(i / side) - middle;
    total += value;
    x += value * across;
    y += value * down;
    xy += value * across * down;
    yy += value * down * down;
  });
  [x, y, xy, yy] = [x, y, xy, yy].map((sum) => sum / Math.max(total, 1));
  const height = yy - y * y;
  const slant = height > 1e-6 ? (xy - x * y) / height : 0;
  return picture.map((_, i) => {
    const row = Math.floor(i / side);
    const place = (i % side) + slant * (row - middle - y);
    const left = Math.floor(place);
    const at = (column) => (column >= 0 && column < side ? picture[row * side + column] : 0);
    return Math.round(at(left) + (place - left) * (at(left + 1) - at(left)));
  });
}

const within = (value, most) => Math.max(0, Math.min(most, value));

function boundingBox(ink, sheet) {
  const box = { left: sheet, top: sheet, right: 0, bottom: 0 };
  ink.forEach((value, i) => {
    if (!value) return;
    const x = i % sheet;
    const y = Math.floor(i / sheet);
    box.left = Math.min(box.left, x);
    box.right = Math.max(box.right, x + 1);
    box.top = Math.min(box.top, y);
    box.bottom = Math.max(box.bottom, y + 1);
  });
  return box.right ? box : null;
}

// Scale the box of the ink to width × height. Each new pixel is the sum of the sheet's pixels that it covers, each times
// the area that it covers of it, in whole parts.
function covered(grey, sheet, box, width, height) {
  const across = overlaps(box.right - box.left, width);
  const down = overlaps(box.bottom - box.top, height);
  return Float64Array.from({ length: width * height }, (_, i) => {
    let sum = 0;
    for (const [y, tall] of down[Math.floor(i / width)]) {
      const row = (box.top + y) * sheet + box.left;
      for (const [x, wide] of across[i % width]) sum += grey[row + x] * tall * wide;
    }
    return sum;
  });
}

// Which of the `old` pixels lie in each of `length` new ones, and with how many parts.
function overlaps(old, length) {
  return Array.from({ length }, (_, j) => {
    const parts = [];
    for (let i = Math.floor((j * old) / length); i * length < (j + 1) * old; i++) {
      parts.push([i, Math.min((i + 1) * length, (j + 1) * old) - Math.max(i * length, j * old)]);
    }
    return parts;
  });
}

// Let a pointer (mouse, pen or finger) draw on the canvas. `onInk` is called with the ink after every piece of a stroke.
// Returns `clear`, which erases the ink and calls `onInk`; `wipe`, which only erases; and `show`, which puts a picture of
// side × side bytes on the canvas as its ink.
export function mountPen(canvas, onInk) {
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const ink = () =>
    Float32Array.from(
      { length: canvas.width * canvas.height },
      (
        (data) => (_, i) =>
          data[4 * i + 3] / 255
      )(context.getImageData(0, 0, canvas.width, canvas.height).data),
    );
  let last = null;
  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return [
      ((event.clientX - box.left) / box.width) * canvas.width,
      ((event.clientY - box.top) / box.height) * canvas.height,
    ];
  };
  const stroke = (here) => {
    context.lineWidth = PEN * canvas.width;
    context.lineCap = context.lineJoin = "round";
    context.strokeStyle = "#808080"; // the ink is its alpha; grey is visible on light and dark paper
    context.beginPath();
    context.moveTo(...last);
    context.lineTo(here[0] + 0.01, here[1]); // not zero, so that a press without a move leaves a dot
    context.stroke();
    last = here;
  };
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    canvas.setPointerCapture(event.pointerId);
    last = place(event);
    stroke(last);
    onInk(ink());
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!last) return;
    const passed = event.getCoalescedEvents?.() ?? [];
    for (const point of passed.length ? passed : [event]) stroke(place(point));
    onInk(ink());
  });
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => (last = null));
  const wipe = () => context.clearRect(0, 0, canvas.width, canvas.height);
  const clear = () => {
    wipe();
    onInk(ink());
  };
  const show = (pixels, side) => {
    const small = new OffscreenCanvas(side, side);
    const image = new ImageData(side, side);
    pixels.forEach((value, i) => image.data.set([128, 128, 128, value], 4 * i)); // as `stroke`
    small.getContext("2d").putImageData(image, 0, 0);
    wipe();
    context.drawImage(small, 0, 0, canvas.width, canvas.height);
  };
  return { clear, wipe, show };
}
