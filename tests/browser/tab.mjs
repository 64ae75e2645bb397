// What the browser's stories say to a tab, in the visitor's words, and the server that the tab reads from.
import assert from "node:assert/strict";
import { existsSync, readFileSync, statSync } from "node:fs";
import { extname, join, normalize } from "node:path";

const www = process.env.OTTERKEEPER_WWW ?? "target/www";
/** What a story waits for comes within so many milliseconds. */
export const LIMIT = 30_000;

/** Waits for exactly one leader, the newest where there are two, that `fits`. */
export async function leader(page, fits = () => true) {
  const limit = Date.now() + LIMIT;
  while (Date.now() < limit) {
    const found = await page.locator('[data-testid^="node-"][data-role="leader"]').evaluateAll((nodes) =>
      nodes.map((node) => ({ id: Number(node.dataset.testid.slice(5)), term: Number(node.dataset.term) })));
    const [one] = found.sort((a, b) => b.term - a.term);
    if (one && fits(one)) return one;
    await page.waitForTimeout(50);
  }
  throw new Error(`no such leader within ${LIMIT} ms`);
}

/** Stops the clock and goes on by so many microseconds of the cluster's time. */
export async function ahead(page, us) {
  await page.evaluate((us) => window.otterkeeper.seek(window.otterkeeper.now() + us), us);
  await drawn(page);
}

export async function moment(page) {
  return page.evaluate(() => {
    const { digest, now, events } = window.otterkeeper;
    return { digest: digest(), us: now(), events: events() };
  });
}

/**
 * What the model says is on the screen. The parts of the page take turns to be drawn, one a frame; of a run that
 * plays this says only that two frames have passed.
 */
export async function drawn(page) {
  await page.evaluate(() => new Promise((done) => {
    const look = () => (window.otterkeeper.shown() ? done() : requestAnimationFrame(look));
    requestAnimationFrame(() => requestAnimationFrame(look));
  }));
}

/** Goes on, event by event, until so many messages are under way. */
export async function underWay(page, count) {
  const there = () => page.locator("#messages g[data-flight]:not(.gone)").count();
  for (let step = 0; (await there()) < count; step += 1) {
    assert.ok(step < 200, "no messages");
    await page.keyboard.press(".");
    await drawn(page);
  }
}

export async function split(page) {
  await page.getByTestId("split").click();
  await page.waitForFunction(() => document.querySelectorAll('[data-testid^="link-"][data-state="cut"]').length === 12);
}

/** Types a command to the client at node `id`. */
export async function command(page, id, text) {
  await page.getByTestId("tab-clients").click();
  await page.getByTestId(`at-${id}`).click();
  const line = page.getByTestId("command");
  await line.fill(text);
  await line.press("Enter");
  await drawn(page);
}

/** Node `id` has `path` in its own tree. */
export async function shows(page, id, path) {
  await page.getByTestId("tab-znodes").click();
  await page.getByTestId(`at-${id}`).click();
  await page.getByTestId(`znode:${path}`).waitFor({ state: "visible" });
}

/** Node `id` does not have `path`. */
export async function lacks(page, id, path) {
  await page.getByTestId("tab-znodes").click();
  await page.getByTestId(`at-${id}`).click();
  await page.getByTestId("znode:/").waitFor({ state: "visible" });
  assert.equal(await page.getByTestId(`znode:${path}`).count(), 0);
}

export async function allHold(page) {
  const states = await page.locator('[data-testid^="invariant-"]').evaluateAll((all) =>
    all.map((one) => [one.dataset.testid, one.dataset.state]));
  assert.ok(states.length >= 6, `${states.length} invariants`);
  for (const [name, state] of states) assert.equal(state, "ok", name);
}

const TYPES = {
  ".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".wasm": "application/wasm",
  ".svg": "image/svg+xml", ".png": "image/png",
};

export function serve(request, response) {
  const path = normalize(decodeURIComponent(new URL(request.url, "http://x").pathname));
  const file = join(www, path === "/" ? "index.html" : path);
  if (!existsSync(file) || !statSync(file).isFile()) {
    response.writeHead(path === "/favicon.ico" ? 204 : 404).end();
    return;
  }
  response.writeHead(200, { "content-type": TYPES[extname(file)] ?? "application/octet-stream" });
  response.end(readFileSync(file));
}
