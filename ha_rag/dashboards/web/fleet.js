// The state of the fleet: the first snapshot is complete, later ones are merged into it.

const KEPT = 360; // points: one a second, and one for each change
const TIMELINE = 100;

export class Fleet {
  constructor() {
    this.picture = null;
    this.timeline = [];
    this.receivedAt = 0;
  }

  // A snapshot with a timeline is complete (the first of a connection); others contain only new points of each history.
  show(picture) {
    if (picture.timeline.length || !this.picture) this.timeline = picture.timeline;
    const histories = new Map((this.picture?.circuits ?? []).map((circuit) => [circuit.name, circuit.history]));
    for (const circuit of picture.circuits) circuit.history = merged(histories.get(circuit.name), circuit.history);
    picture.traffic.history = merged(this.picture?.traffic.history, picture.traffic.history);
    this.picture = picture;
    this.receivedAt = performance.now();
  }

  addEvent(event) {
    if (event.id && this.timeline.some((known) => known.id === event.id)) return;
    this.timeline = [event, ...this.timeline].sort((a, b) => b.at - a.at).slice(0, TIMELINE);
  }

  // Seconds left of a countdown, which continues between snapshots.
  left(seconds) {
    return Math.max(0, seconds - (performance.now() - this.receivedAt) / 1000);
  }
}

function merged(known = [], more) {
  const since = more.length ? more[0].at : Infinity;
  return [...known.filter((point) => point.at < since), ...more].slice(-KEPT);
}
