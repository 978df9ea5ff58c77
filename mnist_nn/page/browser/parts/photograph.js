// Finds the digit on a photograph of paper. This is a short form of mnist_nn/pictures, whose files say why each step is
// as it is: it finds one digit alone, and takes no ruled lines out.

const COARSE = 128; // pixels of the longer side, for the paper
const WIDEST = 0.2; // of the picture's shorter side: strokes are narrower, shadows are wider
const [FAINTEST, NOISES] = [0.1, 6]; // the least ink that counts, and how often it is stronger than the paper's noise
const [PAPER, INK] = [0.2, 0.7]; // of the pen's strength: an edge fades from ink to paper between them
const [LONG, THIN] = [0.4, 0.06]; // of the picture's side: what lies around the paper is longer, a line is thinner
const [SPECK, PART, FULL] = [0.12, 0.45, 1.5]; // of the digit's size: more than dirt, a digit, and the largest
const FULLY_INKED = 0.75; // of the pen's strength: what is fainter and touches the border is a shadow
const [MARGIN, THINNEST] = [2, 0.09]; // pixels of soft edges, and of the digit's size: thinner strokes are made so wide

// A picture that the page cannot read. The message says why, and what to do.
export class Unreadable extends Error {}

// Return the ink of the digit on a picture of grey levels, 0 for black, as numbers from 0 to 1 on a square:
// {ink, side}. Throws Unreadable.
export function digitOn({ values, width, height }) {
  const ink = inkOf({ values: Float32Array.from(values), width, height });
  const strength = strengthOf(ink.values);
  const evened = ink.values.map((value) => (strength ? within((value / strength - PAPER) / (INK - PAPER), 0, 1) : 0));
  const { pieces, labels } = connected(evened, width, height);
  const [digit, others] = joined(pieces.filter((piece) => !isSurroundings(piece, width, height)));
  if (pieces.some((piece) => crosses(piece, digit, width, height))) {
    throw new Unreadable("has ruled lines as dark as the ink; nn predict takes them out");
  }
  if (!digit) throw new Unreadable("has no digit on it; write with a darker pen, go nearer, or cut it to the digit");
  if (others) {
    throw new Unreadable(`has ${1 + others} digits on it; cut it to one of them, or let nn predict read them all`);
  }
  return cut(evened, width, height, labels, digit);
}

const within = (value, least, most) => Math.max(least, Math.min(most, value));
const sizeOf = ({ left, top, right, bottom }) => Math.max(right - left, bottom - top);

// 1 − brightness / paper. Bright ink on dark paper is inverted.
function inkOf(grey) {
  const smooth = Math.min(grey.width, grey.height) < 60 ? grey : blurred(grey, 1);
  const isBright = hasBrightInk(reduced(smooth, COARSE / 2).picture);
  const light = { ...smooth, values: smooth.values.map((value) => (isBright ? 255 - value : value) + 1) };
  const { picture, factor } = reduced(light, COARSE);
  const small = blurred(picture, 2);
  const radius = Math.max(2, Math.floor((WIDEST / 2) * Math.min(small.width, small.height)));
  const largest = filtered(small, radius, -Infinity, (most, value) => Math.max(most, value));
  const paper = blurred(filtered(largest, radius, Infinity, (least, value) => Math.min(least, value)), 4);
  const paperAt = enlarged(paper, factor);
  const { width } = light;
  const values = light.values.map((value, i) => within(1 - value / paperAt(i % width, Math.floor(i / width)), 0, 1));
  return { ...light, values };
}

// Strokes differ more from their surroundings than the paper does.
function hasBrightInk(small) {
  const radius = Math.max(1, Math.floor(0.75 * WIDEST * Math.min(small.width, small.height)));
  const around = filtered(small, radius, 0, (sum, value) => sum + value / (2 * radius + 1));
  return small.values.reduce((sum, value, i) => sum + (value - around.values[i]) ** 3, 0) > 0;
}

// How dark the pen writes: 0 if there is no more than noise.
function strengthOf(ink) {
  const middle = quantile(ink, 0.5);
  const deviation = quantile(
    ink.map((value) => Math.abs(value - middle)),
    0.5,
  );
  const least = Math.max(FAINTEST, NOISES * 1.5 * deviation);
  const inked = ink.filter((value) => value > least);
  return inked.length < 4 ? 0 : quantile(inked, 0.95);
}

const quantile = (values, share) => values.slice().sort()[Math.floor(share * (values.length - 1))];

// Fold each pixel and its neighbours up to `radius` away: along its row, then along its column.
function filtered({ values, width, height }, radius, start, fold) {
  const along = (from, length, step) =>
    from.map((_, i) => {
      const place = Math.floor(i / step) % length;
      let result = start;
      for (let by = -radius; by <= radius; by++) {
        result = fold(result, from[i + step * (within(place + by, 0, length - 1) - place)], by);
      }
      return result;
    });
  return { values: along(along(values, width, 1), height, width), width, height };
}

const blurred = (picture, times) =>
  times ? blurred(filtered(picture, 1, 0, (sum, value, by) => sum + (by ? value / 4 : value / 2)), times - 1) : picture;

// The picture with at most `side` pixels on its longer side, as averages of blocks, and the blocks' side.
function reduced({ values, width, height }, side) {
  const factor = Math.ceil(Math.max(width, height) / side);
  const [across, down] = [Math.ceil(width / factor), Math.ceil(height / factor)];
  const [sums, counts] = [new Float32Array(across * down), new Uint32Array(across * down)];
  values.forEach((value, i) => {
    const block = Math.floor(Math.floor(i / width) / factor) * across + Math.floor((i % width) / factor);
    sums[block] += value;
    counts[block] += 1;
  });
  return { picture: { values: sums.map((sum, i) => sum / counts[i]), width: across, height: down }, factor };
}

// The value of a reduced picture at a place of the large one, interpolated.
function enlarged({ values, width, height }, factor) {
  return (column, row) => {
    const x = within((column + 0.5) / factor - 0.5, 0, width - 1);
    const y = within((row + 0.5) / factor - 0.5, 0, height - 1);
    const [left, top] = [Math.floor(x), Math.floor(y)];
    const [right, below] = [Math.min(left + 1, width - 1), width * Math.min(top + 1, height - 1)];
    const upper = values[width * top + left] * (left + 1 - x) + values[width * top + right] * (x - left);
    const lower = values[below + left] * (left + 1 - x) + values[below + right] * (x - left);
    return upper * (top + 1 - y) + lower * (y - top);
  };
}

// The connected strokes: more than half inked everywhere, and fully somewhere. Of each its box, pixels and ink, and of
// each pixel its label.
function connected(evened, width, height) {
  const labels = new Int32Array(evened.length);
  const pieces = [];
  for (let start = 0, label = 1; start < evened.length; start++) {
    if (labels[start] || evened[start] <= 0.5) continue;
    const piece = { label, area: 0, inked: 0, left: width, top: height, right: 0, bottom: 0 };
    const open = [start];
    let most = 0;
    labels[start] = label;
    while (open.length) {
      const i = open.pop();
      const [x, y] = [i % width, Math.floor(i / width)];
      most = Math.max(most, evened[i]);
      piece.area += 1;
      piece.inked += evened[i];
      Object.assign(piece, { left: Math.min(piece.left, x), right: Math.max(piece.right, x + 1) });
      Object.assign(piece, { top: Math.min(piece.top, y), bottom: Math.max(piece.bottom, y + 1) });
      for (let row = Math.max(0, y - 1); row <= Math.min(height - 1, y + 1); row++) {
        for (let column = Math.max(0, x - 1); column <= Math.min(width - 1, x + 1); column++) {
          const next = row * width + column;
          if (labels[next] || evened[next] <= 0.5) continue;
          labels[next] = label;
          open.push(next);
        }
      }
    }
    if (most === 1) pieces.push(piece);
    label += 1;
  }
  return { labels, pieces };
}

// Whether a piece is a line from border to border with something on it that is as large as the digit found, if any.
function crosses(piece, digit, width, height) {
  const { left, top, right, bottom, area } = piece;
  const isRule = (left === 0 && right === width) || (top === 0 && bottom === height);
  const isLarge = !digit || Math.min(right - left, bottom - top) >= PART * sizeOf(digit);
  return isRule && isLarge && area < THIN * sizeOf(piece) ** 2;
}

// Whether a piece that touches the border is a line, or lies around the paper, or is a shadow.
function isSurroundings(piece, width, height) {
  const { left, top, right, bottom, area, inked } = piece;
  const [across, down] = [right - left, bottom - top];
  const [isBeside, isAbove] = [left === 0 || right === width, top === 0 || bottom === height];
  if (!isBeside && !isAbove) return false;
  const [isWide, isHigh] = [across > LONG * width, down > LONG * height];
  const isThin = area < THIN * sizeOf(piece) ** 2 && Math.min(across, down) < WIDEST * sizeOf(piece);
  return ((isWide || isHigh) && isThin) || (isBeside && isHigh) || (isAbove && isWide) || inked <= FULLY_INKED * area;
}

// The largest piece with all that belongs to it, and how many more digits there seem to be.
function joined(pieces) {
  const [largest, ...rest] = pieces.sort((one, other) => other.area - one.area);
  if (!largest) return [null, 0];
  const digit = { ...largest, labels: [largest.label] };
  const whole = sizeOf(largest);
  let others = rest.filter((piece) => sizeOf(piece) >= SPECK * whole);
  const isMate = (piece) => belongTogether(digit, piece, whole);
  while (others.some(isMate)) {
    const mate = others.find(isMate);
    digit.labels.push(mate.label);
    for (const side of ["left", "top"]) digit[side] = Math.min(digit[side], mate[side]);
    for (const side of ["right", "bottom"]) digit[side] = Math.max(digit[side], mate[side]);
    others = others.filter((piece) => piece !== mate);
  }
  return [digit, others.filter((piece) => sizeOf(piece) >= PART * sizeOf(digit)).length];
}

// Whether two pieces are parts of one digit of about this size: the bar of a 5 belongs to the 5.
function belongTogether(one, other, size) {
  const across = Math.max(one.left, other.left) - Math.min(one.right, other.right); // the gap, or minus the overlap
  const down = Math.max(one.top, other.top) - Math.min(one.bottom, other.bottom);
  const narrower = Math.min(one.right - one.left, other.right - other.left);
  const [low, high] = [one.bottom - one.top, other.bottom - other.top].sort((a, b) => a - b);
  const extent = {
    left: Math.min(one.left, other.left),
    top: Math.min(one.top, other.top),
    right: Math.max(one.right, other.right),
    bottom: Math.max(one.bottom, other.bottom),
  };
  const larger = Math.max(sizeOf(one), sizeOf(other));
  const fits = sizeOf(extent) <= FULL * Math.max(size, larger);
  if (-across >= 0.5 * narrower) return down <= 0.12 * larger || (fits && down <= 0.3 * size);
  if (Math.min(sizeOf(one), sizeOf(other)) <= PART * size) return fits && across <= 0.2 * size && down <= 0.2 * size;
  return fits && across <= 0.1 * size && low <= 0.6 * high && -down >= 0.7 * low;
}

// The ink of the digit alone, on a square. Strokes that are too thin are made wider.
function cut(evened, width, height, labels, digit) {
  const size = sizeOf(digit);
  const margin = Math.ceil(MARGIN + (THINNEST * size) / 2);
  const side = size + 2 * margin;
  const sources = Array.from({ length: side * side }, (_, i) => {
    const [x, y] = [digit.left - margin + (i % side), digit.top - margin + Math.floor(i / side)];
    return x >= 0 && y >= 0 && x < width && y < height ? y * width + x : -1;
  });
  const isDigit = sources.map((source) => digit.labels.includes(labels[source]));
  const inside = distances(isDigit, side, false);
  const area = isDigit.filter(Boolean).length;
  const stroke = (4 * inside.reduce((sum, distance) => sum + distance, 0)) / area - 1; // a quarter of it is their mean
  const missing = Math.max(0, THINNEST * size - stroke);
  const outside = distances(isDigit, side, true);
  const ink = Float32Array.from(sources, (source, i) => {
    const own = source >= 0 && outside[i] < MARGIN + 1 ? evened[source] : 0;
    return missing ? Math.max(own, within(missing / 2 + 1 - outside[i], 0, 1)) : own;
  });
  return { ink, side };
}

const [STRAIGHT, DIAGONAL] = [1, 1.4];
const STEPS = [
  [1, 0, STRAIGHT],
  [0, 1, STRAIGHT],
  [1, 1, DIAGONAL],
  [-1, 1, DIAGONAL],
];

// How far each pixel is from the nearest one that is `wanted`.
function distances(mask, side, wanted) {
  const far = mask.map((own) => (own === wanted ? 0 : Infinity));
  const pass = (places, sign) => {
    for (const i of places) {
      const [x, y] = [i % side, Math.floor(i / side)];
      for (const [across, down, step] of STEPS) {
        const [column, row] = [x - sign * across, y - sign * down];
        if (column < 0 || row < 0 || column >= side || row >= side) continue;
        far[i] = Math.min(far[i], far[row * side + column] + step);
      }
    }
  };
  pass(far.keys(), 1);
  pass(Array.from(far.keys()).reverse(), -1);
  return far;
}
