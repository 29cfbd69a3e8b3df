// The application of the story: requests take an object from a pool that is never cleaned, and a log module opens a
// stream for each batch of lines and never closes it. Both grow while the load is steady. `/truth` tells what it has.
'use strict';
const fs = require('fs');
const http = require('http');
const path = require('path');

// A stream of the log for so many requests.
const BATCH = 25;

const pool = { items: [] };

class PooledRequest {
  constructor(id, kib) {
    this.id = id;
    // Numbers that are no small integers: 8 bytes each, in V8's own heap.
    this.samples = new Array(kib * 128).fill(id + 0.5);
    this.headers = { host: 'shop.example', cookie: 'session=' + id };
  }
}

const log = {
  streams: [],
  line(text) {
    if (served % BATCH === 0) {
      const file = fs.openSync(path.join(__dirname, 'app.log'), 'a');
      this.streams.push(fs.createWriteStream(null, { fd: file }));
    }
    if (this.streams.length > 0) this.streams[this.streams.length - 1].write(text + '\n');
  },
};

let served = 0;
function answer(url) {
  if (url.pathname === '/truth') {
    return JSON.stringify({
      pid: process.pid,
      node: process.version,
      served,
      pooled: pool.items.length,
      streams: log.streams.length,
      heap_limit: require('v8').getHeapStatistics().heap_size_limit,
      memory: process.memoryUsage(),
    });
  }
  served += 1;
  pool.items.push(new PooledRequest(served, Number(url.searchParams.get('kib') || 48)));
  log.line('GET ' + url.pathname + ' 200');
  return 'ok';
}

http
  .createServer((request, response) => response.end(answer(new URL(request.url, 'http://shop.example'))))
  .listen(path.join(__dirname, 'app.sock'));
