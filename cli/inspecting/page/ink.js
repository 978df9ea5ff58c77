// Turns a drawing into the picture that the network sees. It is prepared like MNIST's digits: scaled to fit a box of
// 20 × 20 pixels, and placed in 28 × 28 pixels with its centre of mass in the middle.

const PEN = 0.08; // width of the pen, as a share of the sheet's width

// Return the ink as a picture of side × side bytes. `ink` has a number from 0 to 1 for each of the sheet × sheet pixels.
// A blank sheet gives a blank picture.
export function centred(ink, sheet, side) {
  const picture = new Uint8Array(side * side);
  const box = boundingBox(ink, sheet);
  if (!box) return picture;
  const inner = Math.round((side * 20) / 28);
  const scale = inner / Math.max(box.right - box.left, box.bottom - box.top);
  const width = Math.max(1, Math.round((box.right - box.left) * scale));
  const height = Math.max(1, Math.round((box.bottom - box.top) * scale));
  const small = averaged(ink, sheet, box, width, height);
  let mass = 0;
  let across = 0;
  let down = 0;
  small.forEach((value, i) => {
    mass += value;
    across += value * ((i % width) + 0.5);
    down += value * (Math.floor(i / width) + 0.5);
  });
  const left = within(Math.round(side / 2 - across / mass), side - width);
  const top = within(Math.round(side / 2 - down / mass), side - height);
  const strongest = Math.max(...small);
  small.forEach((value, i) => {
    picture[(top + Math.floor(i / width)) * side + left + (i % width)] = Math.round((255 * value) / strongest);
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

// Scale the box of the ink to width × height. Each new pixel is the average of the sheet's pixels that it covers.
function averaged(ink, sheet, box, width, height) {
  const small = new Float64Array(width * height);
  const stepX = (box.right - box.left) / width;
  const stepY = (box.bottom - box.top) / height;
  for (let i = 0; i < small.length; i++) {
    const fromX = box.left + (i % width) * stepX;
    const fromY = box.top + Math.floor(i / width) * stepY;
    let sum = 0;
    let area = 0;
    for (let y = Math.floor(fromY); y < fromY + stepY && y < box.bottom; y++) {
      const tall = Math.min(y + 1, fromY + stepY) - Math.max(y, fromY);
      for (let x = Math.floor(fromX); x < fromX + stepX && x < box.right; x++) {
        const wide = Math.min(x + 1, fromX + stepX) - Math.max(x, fromX);
        sum += ink[y * sheet + x] * tall * wide;
        area += tall * wide;
      }
    }
    small[i] = sum / area;
  }
  return small;
}

// Let a pointer (mouse, pen or finger) draw on the canvas. `onInk` is called with the ink after every piece of a stroke.
// Returns `clear`, which erases the ink and calls `onInk`, and `wipe`, which only erases.
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
  return { clear, wipe };
}
