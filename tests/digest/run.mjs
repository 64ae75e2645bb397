// Runs the core as wasm: `node run.mjs digest.wasm trace events seed...` prints the digest of each seed
// and then the one of the trace, a line each. The wasm may import nothing: a core that needed its
// host for anything would not start here.
import { readFileSync } from "node:fs";

const [wasm, trace, events, ...seeds] = process.argv.slice(2);
const core = new WebAssembly.Instance(new WebAssembly.Module(readFileSync(wasm)), {}).exports;
const show = (digest) => console.log(BigInt.asUintN(64, digest).toString());

for (const seed of seeds) show(core.seed(BigInt(seed), BigInt(events)));
for (const byte of readFileSync(trace)) core.push(byte);
show(core.replayed());
