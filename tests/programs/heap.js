// A program whose heap is known: writes a snapshot of itself for each number in its arguments, with so many pooled
// requests: node heap.js FOLDER 1000 1400 1700
'use strict';
const path = require('path');
const v8 = require('v8');

class PooledRequest {
  constructor(number) {
    this.number = number + 0.5;
    this.body = 'body of request ' + number;
  }
}

class Pool {
  constructor() {
    this.items = [];
    this.byName = new Map();
  }
  take(number) {
    this.items.push(new PooledRequest(number));
  }
}

class Session {
  constructor(number) {
    this.user = { alpha: 'user ' + number, beta: [number + 0.5] };
  }
}

class Link {
  constructor(next) {
    this.next = next;
  }
}

const pool = new Pool();
for (let i = 0; i < 500; i++) {
  pool.byName.set('session ' + i, new Session(i));
}

// A string of its own each time, with the same text.
const same = [];
for (let i = 0; i < 200; i++) {
  same.push(Buffer.from('the very same text, again and again').toString());
}

const handlers = [];
function register(name) {
  handlers.push(() => name + pool.items.length);
}
for (let i = 0; i < 300; i++) {
  register('handler ' + i);
}

let list = null;
for (let i = 0; i < 2000; i++) {
  list = new Link(list);
}

const seen = new Set();
for (let i = 0; i < 700; i++) {
  seen.add({ gamma: 'gamma ' + i, delta: 'seen ' + i });
}

const secrets = new WeakMap();
for (let i = 0; i < 50; i++) {
  secrets.set(pool.byName.get('session ' + i), { secret: 'secret ' + i });
}

globalThis.app = { pool, same, list, seen, secrets, handlers };

const [folder, ...counts] = process.argv.slice(2);
counts.map(Number).forEach((count, step) => {
  while (pool.items.length < count) {
    pool.take(pool.items.length);
  }
  // What comes and goes is new each time.
  globalThis.app.noise = Array.from({ length: 400 }, (_, i) => ({ noise: 'noise ' + step + i }));
  v8.writeHeapSnapshot(path.join(folder, `${step}.heapsnapshot`));
});
