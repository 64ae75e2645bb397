// Measures the page against its budgets, in headless Chromium, and prints one JSON on standard output: each number with
// its budget and whether it is kept. `cargo xtask web --measure` builds the page and calls this; by hand:
//   OTTERKEEPER_WWW=target/www OTTERKEEPER_PLAYWRIGHT=.../playwright-core node tests/browser/measure.mjs
import { readdirSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { cpus } from "node:os";
import { join, relative } from "node:path";
import { pathToFileURL } from "node:url";

import { leader, serve } from "./tab.mjs";

const { chromium } = await import(pathToFileURL(join(process.env.OTTERKEEPER_PLAYWRIGHT, "index.mjs")));
const www = process.env.OTTERKEEPER_WWW;
const SECOND = 1_000_000;
const MINUTES = 10;
/** A long run. */
const LONG = Number(process.env.OTTERKEEPER_MINUTES ?? 60);
/** Operations per virtual second, half of them writes. */
const LOAD = "50";
/** What of a frame's work is script and layout; painting is the graphics card's, which headless Chromium has none of. */
const WORK = new Set(["FireAnimationFrame", "TimerFire", "FunctionCall", "EventDispatch", "RunMicrotasks", "UpdateLayoutTree", "Layout", "PrePaint"]);

const server = createServer(serve).listen(0, "127.0.0.1");
await new Promise((ready) => server.once("listening", ready));
const home = `http://127.0.0.1:${server.address().port}/`;
const browser = await chromium.launch({
  executablePath: process.env.OTTERKEEPER_CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
const part = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
const ascending = (numbers) => [...numbers].sort((a, b) => a - b);
const round = (number) => Math.round(number * 10) / 10;
const note = (text) => process.stderr.write(`${text}\n`);

function sizes() {
  const files = readdirSync(www, { recursive: true, withFileTypes: true });
  const plain = files.filter((file) => file.isFile() && !/[.](br|gz)$/.test(file.name));
  const size = (file) => {
    const path = join(file.parentPath, file.name);
    const bytes = (suffix) => statSync(path + suffix).size;
    return [relative(www, path), { raw_bytes: bytes(""), gzip_bytes: bytes(".gz"), brotli_bytes: bytes(".br") }];
  };
  return Object.fromEntries(plain.map(size).sort());
}

/** Milliseconds of processor time that the page's thread has had: what other programs take from it is not in them. */
async function clock(page) {
  const session = await page.context().newCDPSession(page);
  await session.send("Performance.enable", { timeDomain: "threadTicks" });
  return async () => {
    const { metrics } = await session.send("Performance.getMetrics");
    return metrics.find((metric) => metric.name === "TaskDuration").value * 1_000;
  };
}

async function open(nodes) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, locale: "en-GB" });
  const page = await context.newPage();
  page.setDefaultTimeout(600_000);
  await page.goto(home);
  await page.waitForFunction(() => window.otterkeeper !== undefined);
  const more = nodes - 5;
  for (let press = 0; press < more; press += 1) await page.getByTestId("nodes-more").first().click();
  await leader(page);
  return { context, page, busy: await clock(page) };
}

const load = (page) => page.getByTestId("load").fill(LOAD);
/** Lets `us` pass: virtual, real and processor time of that in ms. */
async function pass({ page, busy }, us) {
  const before = await busy();
  const slice = await page.evaluate((us) => {
    const begun = performance.now();
    const from = window.otterkeeper.now();
    const to = window.otterkeeper.seek(from + us);
    return { virtual: (to - from) / 1_000, real: performance.now() - begun };
  }, us);
  return { ...slice, busy: (await busy()) - before };
}

/** From the first byte that is asked for to the second picture in which time has moved on. */
async function firstPicture() {
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 } });
  const page = await context.newPage();
  await page.addInitScript(() => {
    let last = null;
    const look = () => {
      const us = document.getElementById("clock")?.dataset.us;
      if (us !== undefined && last !== null && us !== last) {
        window.moved = performance.now();
        return;
      }
      last = us ?? null;
      requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
  });
  await page.goto(home);
  await page.waitForFunction(() => window.moved !== undefined);
  const ms = await page.evaluate(() => window.moved);
  await context.close();
  return ms;
}

/** What the page holds, in MB. */
async function memory({ context, page }) {
  const wasm = await page.evaluate(() => window.otterkeeper.memory());
  const session = await context.newCDPSession(page);
  await session.send("HeapProfiler.enable");
  await session.send("HeapProfiler.collectGarbage");
  const { usedSize } = await session.send("Runtime.getHeapUsage");
  await session.detach();
  return Math.round((wasm + usedSize) / 1e6);
}

/** Seeks to moments within the last `span`, and back to the newest. */
async function seeks(tab, when, span, count, budgets) {
  const times = { real: [], busy: [] };
  const now = () => tab.page.evaluate(() => window.otterkeeper.now());
  const last = await now();
  // The same moments each time: a fixed sequence that goes all over the run.
  let state = 12345;
  const next = () => (state = (state * 1103515245 + 12345) % 2147483648) / 2147483648;
  for (let seek = 0; seek < count; seek += 1) {
    const there = last - next() * Math.min(last, span);
    const { real, busy } = await pass(tab, there - (await now()));
    times.real.push(real);
    times.busy.push(busy);
  }
  await pass(tab, last - (await now()));
  for (const [share, budget] of budgets) {
    const which = share === 1 ? "worst" : "median";
    const of = (list) => round(part(ascending(list), share));
    judge(`seek within ${Math.round(span / SECOND / 60)} virtual minutes, ${when}${which}`, of(times.busy), BUSY, budget);
    judge(`seek within ${Math.round(span / SECOND / 60)} virtual minutes, ${when}${which}`, of(times.real), "ms", null, null);
  }
}

/** Plays for some seconds, and judges what frames cost. */
async function framed({ page }, when) {
  await page.getByTestId("play").click();
  const costs = await frames(page);
  await page.getByTestId("play").click();
  judge(`script and layout of a frame, ${when}p50`, round(part(costs.busy, 0.5)), BUSY, null, null);
  judge(`script and layout of a frame, ${when}p95`, round(part(costs.busy, 0.95)), BUSY, 10);
  judge(`script and layout of a frame, ${when}p95`, round(part(costs.real, 0.95)), "ms", null, null);
  counted += costs.real.length;
}

/** Script and layout of each frame while a loaded cluster plays. */
async function frames(page) {
  await page.waitForTimeout(1_000);
  const session = await browser.newBrowserCDPSession();
  const events = [];
  session.on("Tracing.dataCollected", ({ value }) => events.push(...value));
  await session.send("Tracing.start", { traceConfig: { includedCategories: ["devtools.timeline", "disabled-by-default-devtools.timeline"] }, transferMode: "ReportEvents" });
  await page.waitForTimeout(8_000);
  const over = new Promise((done) => session.once("Tracing.tracingComplete", done));
  await session.send("Tracing.end");
  await over;
  const thread = events.find((event) => event.name === "FireAnimationFrame");
  const work = events.filter((event) => event.ph === "X" && event.pid === thread.pid && event.tid === thread.tid && WORK.has(event.name));
  work.sort((a, b) => a.ts - b.ts || b.dur - a.dur);
  const costs = [];
  let end = 0;
  for (const event of work) {
    if (event.name === "FireAnimationFrame") costs.push({ real: 0, busy: 0 });
    // What lies inside another piece of work is counted with it.
    if (event.ts < end || costs.length === 0) continue;
    end = event.ts + event.dur;
    const cost = costs[costs.length - 1];
    cost.real += event.dur / 1_000;
    cost.busy += (event.tdur ?? event.dur) / 1_000;
  }
  const inner = costs.slice(1, -1);
  return { real: ascending(inner.map((cost) => cost.real)), busy: ascending(inner.map((cost) => cost.busy)) };
}

const budgets = [];
/** Frames that were looked at. */
let counted = 0;
/** The unit of what is held against a budget of time: another program on the machine does not change it. */
const BUSY = "ms of processor time";
const judge = (name, value, unit, budget, kept = undefined) => budgets.push({ name, value, unit, budget, kept });

function speed(name, { virtual, real, busy }, budget) {
  const times = (time) => Math.round(virtual / time);
  judge(`simulated time per processor time, ${name}`, times(busy), "times", budget, times(busy) >= budget);
  judge(`simulated time per real time, ${name}`, times(real), "times", null, null);
}

const files = sizes();
const total = (of) => Object.values(files).reduce((sum, file) => sum + of(file), 0);
judge("page", total((file) => file.gzip_bytes), "bytes with gzip", 400_000);
judge("page with brotli", total((file) => file.brotli_bytes), "bytes with brotli", null, null);

note("first moving picture");
const pictures = ascending([await firstPicture(), await firstPicture(), await firstPicture()]);
judge("first moving picture", Math.round(pictures[1]), "ms", 1_500);

note("frames of seven nodes under load");
const seven = await open(7);
await load(seven.page);
// Real time instead of a sixteenth of it.
for (let press = 0; press < 4; press += 1) await seven.page.keyboard.press("]");
await pass(seven, 5 * SECOND);
await framed(seven, "");

let played = 0;
for (const minutes of [MINUTES, LONG]) {
  note(`${minutes} virtual minutes of seven nodes under load`);
  for (; played < minutes * 60; played += 10) await pass(seven, 10 * SECOND);
  judge(`memory after ${minutes} virtual minutes of seven loaded nodes`, await memory(seven), "MB", 300);
}
await seeks(seven, `after ${LONG} minutes, `, SECOND * 600, 60, [[0.5, 50], [1, 100]]);
await seeks(seven, `after ${LONG} minutes, older, `, SECOND * 60 * LONG, 30, [[1, 1_000]]);
await framed(seven, `after ${LONG} minutes, `);
await seven.context.close();

note("five idle nodes");
const idle = await open(5);
await pass(idle, 5 * SECOND);
const rest = await pass(idle, 300 * SECOND);
speed("idle", rest, 1_000);
await idle.context.close();

note(`${MINUTES} virtual minutes of five nodes under load, and seeks`);
const five = await open(5);
await load(five.page);
await pass(five, 5 * SECOND);
const run = { virtual: 0, real: 0, busy: 0 };
for (let second = 0; second < MINUTES * 60; second += 10) {
  const slice = await pass(five, 10 * SECOND);
  for (const time of ["virtual", "real", "busy"]) run[time] += slice[time];
}
speed("loaded", run, 20);
await seeks(five, "", SECOND * 600, 100, [[0.5, 50], [1, 100]]);

await browser.close();
server.close();
// What has no budget is for comparison only.
for (const one of budgets.filter((one) => one.budget !== null)) one.kept ??= one.value <= one.budget;
const kept = budgets.every((one) => one.kept !== false);
console.log(JSON.stringify({ kept, budgets, files, frames: counted, minutes: [MINUTES, LONG], processors: cpus().length, chromium: browser.version() }, null, 1));
process.exitCode = kept ? 0 : 1;
