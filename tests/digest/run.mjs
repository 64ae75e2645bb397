// Runs the core as wasm: `node run.mjs digest.wasm events seed... -- trace...` prints the digest of each
// seed and then the one of each trace, a line each. The wasm may import nothing: a core that needed its
// host for anything would not start here.
import { readFileSync } from "node:fs";

const [wasm, events, ...rest] = process.argv.slice(2);
const seeds = rest.slice(0, rest.indexOf("--"));
const traces = rest.slice(rest.indexOf("--") + 1);
const core = new WebAssembly.Instance(new WebAssembly.Module(readFileSync(wasm)), {}).exports;
const show = (digest) => console.log(BigInt.asUintN(64, digest).toString());

for (const seed of seeds) show(core.seed(BigInt(seed), BigInt(events)));
for (const trace of traces) {
  for (const byte of readFileSync(trace)) core.push(byte);
  show(core.replayed());
}
