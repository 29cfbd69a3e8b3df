// What Chrome DevTools' own code says of a heap snapshot, as JSON: node devtools.mjs NODE_MODULES OUT FILE [EARLIER]
// NODE_MODULES has chrome-devtools-frontend and esbuild of npm.
import { createRequire } from 'node:module';
import fs from 'node:fs';
import path from 'node:path';

// Node.js 20 does not have it yet.
Promise.withResolvers ??= function () {
  const made = {};
  made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
  return made;
};

const [modules, out, file, earlier] = process.argv.slice(2);
const require = createRequire(path.join(path.resolve(modules), 'x.js'));
const esbuild = require('esbuild');
const front = path.join(path.dirname(require.resolve('chrome-devtools-frontend/package.json')), 'front_end');
// Words of the user interface are not needed.
const words = {
  name: 'words',
  setup(build) {
    build.onResolve({ filter: /i18n\/i18n\.js$/ }, () => ({ path: 'i18n', namespace: 'words' }));
    build.onLoad({ filter: /.*/, namespace: 'words' }, () => ({
      contents: 'export const i18n = new Proxy({}, {get: () => () => ""});',
    }));
    // Sources import each other by the names that they are compiled to.
    build.onResolve({ filter: /^\.{1,2}\/.*\.js$/ }, (found) => {
      const source = path.join(found.resolveDir, found.path.replace(/\.js$/, '.ts'));
      return fs.existsSync(source) ? { path: source } : undefined;
    });
  },
};
const built = `${path.resolve(out)}.mjs`;
await esbuild.build({
  entryPoints: [path.join(front, 'entrypoints/heap_snapshot_worker/HeapSnapshot.ts')],
  outfile: built,
  bundle: true,
  format: 'esm',
  platform: 'node',
  logLevel: 'error',
  plugins: [words],
  tsconfigRaw: { compilerOptions: { useDefineForClassFields: false } },
});
const { createJSHeapSnapshotForTesting } = await import(built);
console.time = console.timeEnd = console.warn = () => {};

class Numbers {
  constructor(list) {
    this.list = Uint32Array.from(list);
  }
  get length() {
    return this.list.length;
  }
  getValue(index) {
    return this.list[index];
  }
  setValue(index, value) {
    this.list[index] = value;
  }
  asUint32ArrayOrFail() {
    return this.list;
  }
}

async function load(name) {
  const profile = JSON.parse(fs.readFileSync(name, 'utf8'));
  profile.nodes = new Numbers(profile.nodes);
  profile.edges = new Numbers(profile.edges);
  return createJSHeapSnapshotForTesting(profile);
}

const snapshot = await load(file);
const aggregates = snapshot.getAggregatesByClassKey(false, 'allObjects');
const classes = Object.entries(aggregates).map(([key, found]) => ({
  key,
  name: found.name,
  count: found.count,
  shallow: found.self,
  retained: found.maxRet,
  distance: found.distance,
}));
const nodes = [];
for (let node = snapshot.createNode(0); node.nodeIndex < snapshot.nodes.length; node.nodeIndex = node.nextNodeIndex()) {
  nodes.push([node.id(), node.selfSize(), node.retainedSize(), node.distance(), node.dominatorIndex() / snapshot.nodeFieldCount]);
}
const result = { total: snapshot.totalSize, classes, nodes };
if (earlier) {
  const base = await load(earlier);
  const diff = snapshot.calculateSnapshotDiff(1, base.aggregatesForDiff(snapshot.interfaceDefinitions()));
  result.diff = Object.entries(diff).map(([key, found]) => ({
    key,
    name: found.name,
    new: found.addedCount,
    deleted: found.removedCount,
    delta: found.countDelta,
    size_delta: found.sizeDelta,
  }));
}
fs.rmSync(built);
fs.writeFileSync(out, JSON.stringify(result));
process.exit(0);
