// What is known of the fleet: the first picture whole, then what is new, added up.

const KEPT = 180;
const TIMELINE = 100;

export class Fleet {
  constructor() {
    this.picture = null;
    this.timeline = [];
    this.heardAt = 0;
  }

  // A picture with a timeline is whole (the first one of a connection); others hold only what is new in each history.
  show(picture) {
    if (picture.timeline.length || !this.picture) this.timeline = picture.timeline;
    const known = new Map((this.picture?.circuits ?? []).map((circuit) => [circuit.name, circuit.history]));
    for (const circuit of picture.circuits) circuit.history = added(known.get(circuit.name), circuit.history);
    picture.traffic.history = added(this.picture?.traffic.history, picture.traffic.history);
    this.picture = picture;
    this.heardAt = performance.now();
  }

  happened(event) {
    if (event.id && this.timeline.some((known) => known.id === event.id)) return;
    this.timeline = [event, ...this.timeline].sort((a, b) => b.at - a.at).slice(0, TIMELINE);
  }

  // Seconds left of a rest, running on between two pictures.
  left(seconds) {
    return Math.max(0, seconds - (performance.now() - this.heardAt) / 1000);
  }
}

function added(known = [], more) {
  const since = more.length ? more[0].at : Infinity;
  return [...known.filter((point) => point.at < since), ...more].slice(-KEPT);
}
