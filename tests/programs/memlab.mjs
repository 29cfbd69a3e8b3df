// What memlab says of a heap snapshot, as JSON: node memlab.mjs NODE_MODULES OUT FILE [classes]
// NODE_MODULES has @memlab/heap-analysis of npm. With `classes` no node is written, as for a person who wants the table.
import { createRequire } from 'node:module';
import fs from 'node:fs';
import path from 'node:path';

const [modules, out, file, only] = process.argv.slice(2);
const require = createRequire(path.join(path.resolve(modules), 'x.js'));
const { getFullHeapFromFile } = require('@memlab/heap-analysis');
const heap = await getFullHeapFromFile(path.resolve(file));
const classes = new Map();
const nodes = [];
heap.nodes.forEach((node) => {
  const key = node.type + '/' + node.name;
  if (node.type === 'object' || node.type === 'native' || node.type === 'closure') {
    const found = classes.get(key) ?? { key, count: 0, shallow: 0, retained: 0 };
    found.count += 1;
    found.shallow += node.self_size;
    found.retained += node.retainedSize;
    classes.set(key, found);
  }
  if (!only) {
    nodes.push([node.id, node.self_size, node.retainedSize, node.dominatorNode?.id ?? node.id]);
  }
});
fs.writeFileSync(out, JSON.stringify({ classes: [...classes.values()], nodes }));
process.exit(0);
