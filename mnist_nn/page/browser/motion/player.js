// Takes steps in the time between two pictures of the screen, one after the other or without end.

const BUDGET = 8; // milliseconds of computing for each picture

export class Player {
  // `examples()` are those to step on, and `show()` renders what has changed.
  constructor(motion, examples, show) {
    Object.assign(this, { motion, examples, show });
    this.perSecond = 20; // steps while it plays
    this.left = 0; // steps to take
    this.pending = null; // the step that is being computed
    this.frame = 0;
  }

  get plays() {
    return this.left === Infinity;
  }

  get isBusy() {
    return this.left > 0;
  }

  // Take n steps, or steps without end.
  start(n) {
    this.stop();
    this.left = n;
    this.due = 0;
    this.continues = false;
    this.frame = requestAnimationFrame((now) => this.advance(now));
    this.show();
  }

  stop() {
    cancelAnimationFrame(this.frame);
    this.left = 0;
    this.pending = null;
  }

  advance(now) {
    const end = performance.now() + BUDGET;
    let taken = 0;
    while (this.left > 0 && performance.now() < end) {
      if (!this.pending) {
        if (this.plays && (taken > 0 || now < this.due)) break;
        this.pending = this.motion.step(this.examples(), this.continues);
        this.due = Math.max(now, this.due + 1000 / this.perSecond);
      }
      if (!this.pending.next().done) continue;
      this.pending = null;
      taken += 1;
      this.left -= 1;
      this.continues = !this.plays;
      if (!Number.isFinite(this.motion.change.after)) this.left = 0;
    }
    if (this.left > 0) this.frame = requestAnimationFrame((then) => this.advance(then));
    if (taken) this.show();
  }
}
