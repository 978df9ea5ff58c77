// The address of the page leads to what it shows: after "#" it names the example, the parameter, the state of the network,
// the steps taken on it, and the slide.

// The part of the address after "#". A drawing, an entered number and a change by hand are not in it.
export function linkOf(state, { examples, motion }) {
  const { place, example, over, direction, slide, tour } = state;
  const { moment, uniform } = motion;
  const p = place.k === null ? ["bias", [place.l, place.j]] : ["weight", [place.l, place.j, place.k]];
  const parts = [
    [p[0], p[1].join(",")],
    ["example", example === null ? null : examples[example].index],
    ["from", moment.key === "trained" ? null : moment.key],
    ["steps", uniform?.steps],
    ["over", uniform ? over : null],
    ["rate", uniform?.rate],
    ["show", direction === "backward" ? direction : null],
    ["slide", slide],
    ["tour", tour === null ? null : tour + 1],
  ];
  return parts
    .filter(([, value]) => value !== null && value !== undefined)
    .map(([name, value]) => `${name}=${value}`)
    .join("&");
}

const MOST_STEPS = 1000; // that a link may ask for

// What a link asks for: the user's choices, and a moment, steps and a rate if it names any. What does not exist on this
// page is left out.
export function fromLink(hash, { examples, network, moments }) {
  const asked = new URLSearchParams(hash.replace(/^#/, ""));
  const change = {};
  const whole = (name) =>
    (asked.get(name) ?? "").split(",").map((text) => (/^\d{1,7}$/.test(text) ? Number(text) : NaN));
  const kind = asked.has("bias") ? "bias" : "weight";
  const [l, j, k = null] = whole(kind);
  const { sizes, L } = network;
  const isInside = l >= 1 && l <= L && j < sizes[l] && (kind === "bias" ? k === null : k < sizes[l - 1] && k !== null);
  if (isInside) change.place = { l, j, k };
  const example = examples.findIndex(({ index }) => index === whole("example")[0]);
  if (example >= 0) change.example = example;
  if (asked.get("show") === "backward") change.direction = "backward";
  if (["example", "batch", "all"].includes(asked.get("over"))) change.over = asked.get("over");
  if (asked.has("slide")) change.slide = asked.get("slide");
  if (whole("tour")[0] > 0) change.tour = whole("tour")[0] - 1;
  const rate = Number(asked.get("rate") ?? NaN);
  return {
    change,
    moment: moments.find(({ key }) => key === asked.get("from")) ?? moments[0],
    steps: Math.min(MOST_STEPS, whole("steps")[0]) || 0,
    rate: rate > 0 && Number.isFinite(rate) ? rate : null,
  };
}
