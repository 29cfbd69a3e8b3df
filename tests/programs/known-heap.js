// A server whose heap is known: as many PooledRequest as its first argument says, held by pool.items. It tells its
// port and answers: / with ok, /more with ok after 500 more of them, /stats with what V8 says of its heap, /wait by standing still in open(2) of the FIFO `go`
// in its folder, after making a file `waiting` there. It ends when its parent does.
'use strict';
const fs = require('fs');
const http = require('http');
const v8 = require('v8');

class PooledRequest {
  constructor(id) {
    this.id = id;
    this.text = `request-${id}`;
  }
}

const pool = { items: [] };
for (let id = 0; id < Number(process.argv[2]); id++) pool.items.push(new PooledRequest(id));

const server = http.createServer((request, response) => {
  if (request.url === '/wait') {
    fs.writeFileSync('waiting', '');
    fs.readFileSync('go');
  }
  if (request.url === '/more') for (let more = 0; more < 500; more++) pool.items.push(new PooledRequest(more));
  response.end(request.url === '/stats' ? JSON.stringify(v8.getHeapStatistics()) : pool.items.length && 'ok');
});
server.listen(0, '127.0.0.1', () => {
  console.log(server.address().port);
  const parent = process.ppid;
  setInterval(() => process.ppid === parent || process.exit(0), 200);
});
if (process.argv[3] === 'own-handler') process.on('SIGUSR1', () => {});
