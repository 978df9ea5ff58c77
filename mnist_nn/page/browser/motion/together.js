// Two networks in motion together: whatever moves the first one moves the other, which keeps its own η.

import { Motion } from "./motion.js";

export class Together extends Motion {
  constructor(data) {
    super(data);
    this.other = data.other.motion = new Motion(data.other);
    this.other.begin(counterpart(this.moment, data.other.moments));
  }

  begin(moment) {
    super.begin(moment);
    this.other?.begin(counterpart(moment, this.data.other.moments));
  }

  // Both steps pause in turn, so that both networks change between the same two pauses: there is no moment at which only
  // one of them has stepped.
  *step(examples, continues = false) {
    const { examples: its } = this.data.other;
    const same = examples.map(({ n }) => (n === null ? this.data.current.other.own : its[n]));
    const steps = [super.step(examples, continues), this.other.step(same, continues)];
    while (steps.map((step) => step.next().done).includes(false)) yield;
    if (!this.other.uniform) this.uniform = null;
  }

  // What a link to this view says of the other run: the η of its steps.
  get linkOfOther() {
    return this.uniform ? `&rate-B=${this.other.uniform.rate}` : "";
  }

  followLinkOfOther(hash) {
    const rate = Number(new URLSearchParams(hash.replace(/^#/, "")).get("rate-B") ?? NaN);
    if (rate > 0 && Number.isFinite(rate)) this.other.rate = rate;
  }

  // A change by hand is the first network's alone, and so is the way back from it.
  back() {
    super.back();
    while (this.other.steps > this.steps && this.other.kept.length) this.other.back();
  }
}

// The state of the other training that belongs to a state of this one: the same state of another kind than a snapshot, or
// the snapshot with the nearest step. The other run's own network, if there is no such state.
function counterpart({ key, step }, moments) {
  const snapshots = moments.filter((moment) => moment.step !== null);
  const nearest = (best, one) => (Math.abs(one.step - step) < Math.abs(best.step - step) ? one : best);
  const same =
    step !== null && snapshots.length ? snapshots.reduce(nearest) : moments.find((moment) => moment.key === key);
  return same ?? moments.find((moment) => step === 0 && moment.key === "fresh") ?? moments[0];
}
