// The curve of σ with its tangent at z: the slope of the tangent is σ′(z).

import { svg } from "../parts/dom.js";

const PLOT = { width: 132, height: 46, edge: 3 };

export function mountSlope(activation) {
  const curve = svg("path", { class: "curve" });
  const axes = svg("path", { class: "axes" });
  const tangent = svg("line", { class: "tangent" });
  const point = svg("circle", { r: 4, class: "at" });
  const element = svg(
    "svg",
    { class: "slope-plot", width: PLOT.width, height: PLOT.height, "aria-hidden": "true" },
    axes,
    curve,
    tangent,
    point,
  );
  const { width, height, edge } = PLOT;
  let reach = null; // z from −reach to reach
  let [low, high] = [0, 1]; // of a

  const x = (z) => width / 2 + (z / reach) * (width / 2 - edge);
  const y = (a) => height - edge - ((a - low) / (high - low)) * (height - 2 * edge);

  function draw(nextReach) {
    reach = nextReach;
    const values = Array.from({ length: 65 }, (_, i) => reach * (i / 32 - 1));
    const heights = values.map(activation.sigma);
    [low, high] = [Math.min(0, ...heights), Math.max(...heights)];
    curve.setAttribute("d", `M${values.map((z, i) => `${x(z).toFixed(1)} ${y(heights[i]).toFixed(1)}`).join("L")}`);
    axes.setAttribute("d", `M0 ${y(0)}H${width}M${x(0)} 0V${height}`);
  }

  return {
    element,
    set(z, a, da_dz) {
      const needed = Math.max(6, 2 * Math.ceil((Math.abs(z) + 0.5) / 2));
      if (needed !== reach) draw(Math.min(needed, 1e6));
      const [dx, dy] = [x(1) - x(0), y(da_dz) - y(0)]; // the tangent's direction on the screen
      const half = 22 / Math.hypot(dx, dy);
      const [cx, cy] = [x(z), y(a)];
      for (const [name, at] of [
        ["x1", cx - half * dx],
        ["y1", cy - half * dy],
        ["x2", cx + half * dx],
        ["y2", cy + half * dy],
      ])
        tangent.setAttribute(name, at.toFixed(1));
      point.setAttribute("cx", cx.toFixed(1));
      point.setAttribute("cy", cy.toFixed(1));
    },
  };
}
