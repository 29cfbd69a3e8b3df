// A server application as people write them: an object pool that is never cleaned and a log module that never
// closes its streams. Both grow while the load is steady. It ends when its parent does.
'use strict';
const fs = require('fs');

const pool = { items: [] };
const logs = [];
const parent = process.ppid;

class PooledRequest {
  constructor(id) {
    this.id = id;
    this.body = Buffer.alloc(16 * 1024, 1);
    this.headers = { host: 'shop.example', cookie: `session=${id}` };
  }
}

let served = 0;
setInterval(() => {
  if (process.ppid !== parent) process.exit(0);
  for (let i = 0; i < 16; i++) pool.items.push(new PooledRequest(served++));
  logs.push(fs.openSync('/dev/null', 'a'));
}, 50);
console.log('ready');
