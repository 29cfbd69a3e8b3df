// A Node.js service that serves itself requests, in several states of health. Usage: node app.js MODE [NUMBER...]
// It says once a second how much it has lost so far: `memory BYTES`, `fds COUNT`.
const fs = require('node:fs');

const [mode, ...numbers] = process.argv.slice(2);
const [first = 0, second = 0] = numbers.map(Number);
const KIB = 1024;
const TICK_MS = 100;

let lost = { memory: 0, fds: 0 };
const pool = [];
const started = Date.now();
const seconds = () => (Date.now() - started) / 1000;

// An object of about `bytes` bytes on the V8 heap: each part takes 72 with its place in the array.
function entity(bytes) {
  const fields = [];
  for (let size = 0; size < bytes; size += 72) fields.push({ id: pool.length, size, at: size * 1.5 });
  return fields;
}

// Work that leaves garbage behind, as every request does.
let scratch;
function serve(requests) {
  for (let n = 0; n < requests; n++) scratch = JSON.stringify(entity(2 * KIB));
}

function leak(bytes) {
  for (let rest = bytes; rest > 0; rest -= 8 * KIB) pool.push(entity(8 * KIB));
  lost.memory += bytes;
}

// Sessions that are dropped together from time to time: memory rises and falls by `mib`.
let sessions = [];
function sawtooth(mib, period) {
  if (seconds() % period < TICK_MS / 1000) sessions = [];
  const perTick = (mib * KIB * KIB * TICK_MS) / (period * 1000);
  for (let rest = perTick; rest > 0; rest -= 16 * KIB) sessions.push(entity(16 * KIB));
}

const MODES = {
  // NUMBER: KiB lost a second.
  leak: () => { serve(20); leak((first * KIB * TICK_MS) / 1000); },
  // NUMBERS: height of the sawtooth in MiB; KiB lost a second behind it.
  sawtooth: () => { sawtooth(first, 23); if (second) leak((second * KIB * TICK_MS) / 1000); },
  // NUMBERS: entries kept; requests a second, each of another visitor: it fills, slower and slower, and is full.
  lru: () => {
    for (let n = 0; n < (second * TICK_MS) / 1000; n++) {
      const visitor = Math.floor(Math.random() * first * 1.3);
      const found = cache.get(visitor) ?? entity(8 * KIB);
      cache.delete(visitor);
      cache.set(visitor, found);
      if (cache.size > first) cache.delete(cache.keys().next().value);
    }
  },
  // NUMBER: a log file a so many ms, opened and never closed; each keeps a buffer.
  streams: () => {
    serve(10);
    if (Math.floor(Date.now() / first) === Math.floor((Date.now() - TICK_MS) / first)) return;
    try {
      pool.push({ log: fs.openSync('/dev/null', 'a'), buffer: Buffer.alloc(16 * KIB, 1) });
      lost.fds += 1;
    } catch (error) {
      if (error.code !== 'EMFILE') throw error;
    }
  },
  // NUMBERS: MiB that the new version needs more; the second of the deploy.
  deploy: () => {
    serve(20);
    if (seconds() > second && pool.length === 0) {
      for (let n = 0; n < (first * KIB) / 16; n++) pool.push(entity(16 * KIB));
    }
  },
};

const cache = new Map();
setInterval(MODES[mode], TICK_MS);
setInterval(() => {
  if (lost.memory) console.log(`memory ${Math.round(lost.memory)}`);
  if (lost.fds) console.log(`fds ${lost.fds}`);
}, 1000);
