// Where everything stands in the drawing of the network: the layers as columns of neurons, and the cost at the right.

// Sizes in pixels.
const [MIN_HEIGHT, MAX_HEIGHT] = [60, 360]; // of a column
const ROW = 26; // height of a row of neurons
const LABEL = { short: 80, long: 180 }; // width of the label beside an output neuron, with three or all digits
const TOP = 30; // height of the titles
// Layouts from wide to narrow: the smallest gap between columns, the side of the input picture, the most rows of neurons,
// the smallest width of a column, and the width of the cost with three or all digits of its value. The narrowest layout
// does not show the value.
const LAYOUTS = [
  { gap: 46, picture: 112, rows: 20, least: 44, cost: [56, 132] },
  { gap: 14, picture: 72, rows: 20, least: 44, cost: [52, 132] },
  { gap: 12, picture: 56, rows: 40, least: 28, cost: [26, 26] },
];
const SMALLEST = 0.6; // scale of a network that is wider than its card; one that needs a smaller scale can be scrolled
export const MANY = 400; // a layer of more neurons is drawn on the canvas

// The layout that fits into the available width. A column has the positions xs and ys of its neurons.
export function layOut(data, available, allDigits) {
  const { sizes, L } = data.network;
  const most = Math.max(...sizes.slice(data.side ? 1 : 0));
  const tall = Math.max(data.side ? LAYOUTS[0].picture : MIN_HEIGHT, Math.min(MAX_HEIGHT, most * ROW));
  const label = allDigits ? LABEL.long : LABEL.short;
  const layouts = LAYOUTS.map((layout) => {
    const columns = sizes.map((n, l) => ({ l, n, label: l === L ? label : 0, ...arrange(n, l, tall, layout, data) }));
    for (const column of columns) column.width = Math.max(layout.least, column.across * (column.cell + column.label));
    const cost = layout.cost[Number(allDigits)];
    const widths = columns.reduce((sum, { width }) => sum + width, cost);
    return { columns, cost, widths, least: widths + layout.gap * (L + 1) };
  });
  const { columns, cost, widths, least } = layouts.find((layout) => layout.least <= available) ?? layouts.at(-1);
  const width = Math.max(available, least);
  const gap = (width - widths) / (L + 1);
  let left = 0;
  for (const column of columns) {
    const { n, cell, label, columnOf, yOf } = column;
    const start = left;
    column.left = start;
    column.xs = Float64Array.from({ length: n }, (_, i) => start + columnOf(i) * (cell + label) + cell / 2);
    column.ys = Float64Array.from({ length: n }, (_, i) => yOf(i));
    left += column.width + gap;
  }
  return {
    available,
    allDigits,
    width,
    height: TOP + tall + 10,
    scale: Math.max(SMALLEST, Math.min(1, available / width)),
    columns,
    cost: { x: width - cost / 2, y: TOP + tall / 2, r: 13, hasValue: cost > 26, width: cost },
  };
}

// A layer's neurons one below the other, or in a grid if there are many. Each column of the grid begins a little lower than
// the one before, so that no connection lies exactly on another.
function arrange(n, l, tall, { picture, rows: most }, data) {
  if (l === 0 && data.side) {
    const { side } = data;
    const [cell, top] = [picture / side, TOP + (tall - picture) / 2];
    return {
      picture,
      cell,
      top,
      across: side,
      columnOf: (k) => k % side,
      yOf: (k) => top + (Math.floor(k / side) + 0.5) * cell,
    };
  }
  const rows = Math.min(n, n > 120 ? 40 : most);
  const cell = Math.min(ROW, tall / rows);
  const across = Math.ceil(n / rows);
  const top = TOP + (tall - cell * rows) / 2;
  const columnOf = (i) => Math.floor(i / rows);
  return {
    cell,
    rows,
    top,
    across,
    columnOf,
    radius: Math.max(3, cell / 2 - 2),
    yOf: (i) => top + ((i % rows) + (columnOf(i) + 0.5) / across) * cell,
  };
}
