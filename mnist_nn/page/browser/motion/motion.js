// The network in motion: the state of the training that it began from, the steps taken since, and the way back.

import { averageOf, gradientOver, squaredNorm, stepDownhill } from "../mathematics/descent.js";

const KEPT_BYTES = 32e6; // of earlier parameters, for the way back
const KEPT_STEPS = 200; // at most
const MOST_POINTS = 2000; // of a course; with more, every second one is dropped

export class Motion {
  constructor(data) {
    this.data = data;
    this.network = data.network;
    this.gradient = new Float64Array(this.network.parameters.length);
    this.most = Math.max(2, Math.min(KEPT_STEPS, Math.floor(KEPT_BYTES / this.gradient.byteLength)));
    this.rate = data.learningRate;
    this.begin(data.moments[0]);
  }

  // Put the network into a state of the training, and forget the steps.
  begin(moment) {
    this.moment = moment;
    this.network.load(moment.parameters());
    this.steps = 0;
    this.edits = 0;
    this.kept = []; // of each step that can be taken back: the parameters before it, and the last change before it
    this.change = null; // what the last steps or the last edit did
    this.since = null; // the one of `kept` before the last steps or the last edit
    this.uniform = null; // {steps, rate, over}, if all steps were alike
    this.course = null; // the averages after every step, measured when a first step is taken
  }

  // The parameters before the last steps or the last edit, or null.
  get before() {
    return (this.kept.includes(this.since) ? this.since : this.kept.at(-1))?.parameters ?? null;
  }

  // Take a step on the examples. If it `continues` several steps, `change` and `before` are of all of them. It pauses
  // often, so that a large network does not block the page.
  *step(examples, continues = false) {
    const { network, gradient, rate } = this;
    if (!this.course) {
      this.course = new Course();
      yield* this.measure();
    }
    yield* gradientOver(network, examples, gradient);
    const first = continues && this.change?.kind === "steps" ? this.change : { n: 0, C: meanC(examples), predicted: 0 };
    this.keep(first.n > 0);
    this.steps += 1;
    this.uniform = this.alike(examples);
    this.change = null; // until it is measured: a pause may come first
    stepDownhill(network, gradient, rate);
    yield* this.measure();
    for (const example of examples) {
      void example.passed;
      yield;
    }
    const predicted = first.predicted - rate * squaredNorm(gradient);
    this.change = { kind: "steps", n: first.n + 1, examples, C: first.C, after: meanC(examples), predicted, rate };
  }

  // Take the last step back.
  back() {
    const { parameters, ...earlier } = this.kept.pop();
    this.network.load(parameters);
    Object.assign(this, earlier);
    this.course?.dropAfter(this.steps);
  }

  // Change one parameter by hand.
  edit(place, value) {
    this.keep(false);
    this.edits += 1;
    this.uniform = null;
    this.network.setParameter(place, value);
    this.network.version += 1;
    this.change = { kind: "edit", place };
  }

  // All steps so far with one rate and on the same examples of the page, or null.
  alike(examples) {
    const over = `${examples.length} from ${examples[0].index}`;
    const { steps, rate, uniform } = this;
    const isFirst = steps === 1 && !this.edits;
    const isLike = isFirst || (uniform?.rate === rate && uniform.over === over);
    return isLike && examples[0].index !== "own" ? { steps, rate, over } : null;
  }

  // Keep the parameters, in the array of the oldest ones if there are many.
  keep(continues) {
    const oldest = this.kept.length >= this.most ? this.kept.shift() : null;
    if (oldest) oldest.since = null; // or each would hold on to all before it
    const parameters = oldest?.parameters ?? new Float64Array(this.gradient.length);
    parameters.set(this.network.parameters);
    this.kept.push({
      parameters,
      change: this.change,
      since: this.since,
      uniform: this.uniform,
      steps: this.steps,
      edits: this.edits,
    });
    if (!continues) this.since = this.kept.at(-1);
  }

  // Add the averages over the page's images, and over those it never trains on, to the course.
  *measure() {
    const { examples, heldOut } = this.data;
    for (const example of [...examples, ...heldOut]) {
      void example.passed;
      yield;
    }
    this.course.add(this.steps, averageOf(examples), heldOut.length ? averageOf(heldOut) : null);
  }
}

const meanC = (examples) => examples.reduce((sum, { C }) => sum + C, 0) / examples.length;

// Cost and accuracy after each step. It stays short: long ones keep every second, fourth, … step.
class Course {
  constructor() {
    this.stride = 1;
    this.x = [];
    this.lines = { cost: [], heldCost: [], accuracy: [], heldAccuracy: [] };
  }

  add(step, seen, held) {
    if (step % this.stride) return;
    this.dropAfter(step - 1);
    this.x.push(step);
    this.lines.cost.push(seen.C);
    this.lines.accuracy.push(seen.accuracy);
    this.lines.heldCost.push(held?.C ?? NaN);
    this.lines.heldAccuracy.push(held?.accuracy ?? NaN);
    if (this.x.length <= MOST_POINTS) return;
    this.stride *= 2;
    const keep = (_, i) => this.x[i] % this.stride === 0;
    for (const name of Object.keys(this.lines)) this.lines[name] = this.lines[name].filter(keep);
    this.x = this.x.filter((at) => at % this.stride === 0);
  }

  dropAfter(step) {
    while (this.x.length && this.x.at(-1) > step) {
      this.x.pop();
      for (const line of Object.values(this.lines)) line.pop();
    }
  }
}
