// The page in a real browser: headless Chromium, driven by playwright-core under node's test runner.
// `cargo xtask test` installs both, builds the page, and says where they are:
//   OTTERKEEPER_WWW=target/www OTTERKEEPER_PLAYWRIGHT=.../playwright-core node --test tests/browser.mjs
// It knows the page by its test hooks only (data-testid, window.otterkeeper), never by its markup.
import assert from "node:assert/strict";
import { existsSync, readFileSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { after, before, describe, test } from "node:test";
import { pathToFileURL } from "node:url";

const www = process.env.OTTERKEEPER_WWW ?? "target/www";
const playwright = join(process.env.OTTERKEEPER_PLAYWRIGHT, "index.mjs");
const { chromium } = await import(pathToFileURL(playwright));

const LIMIT = 30_000;
const SECOND = 1_000_000;
const WIDE = { width: 1280, height: 860 };
const NARROW = { width: 390, height: 844 };

describe("page", { concurrency: 1 }, () => {
  let server, browser, context, home;
  const complaints = [];

  before(async () => {
    server = createServer(serve).listen(0, "127.0.0.1");
    await new Promise((ready) => server.once("listening", ready));
    home = `http://127.0.0.1:${server.address().port}/`;
    browser = await chromium.launch({
      executablePath: process.env.OTTERKEEPER_CHROMIUM ?? "/usr/bin/chromium",
      args: [
        "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
      ],
    });
    context = await browser.newContext({ viewport: WIDE, locale: "en-GB" });
    await context.grantPermissions(["clipboard-read", "clipboard-write"], { origin: home });
  });

  after(async () => {
    await browser?.close();
    server?.close();
  });

  /** A tab of its own for each story, so that none depends on another. */
  async function open(where = home, use = context) {
    const page = await use.newPage();
    page.setDefaultTimeout(LIMIT);
    page.on("pageerror", (error) => complaints.push(String(error)));
    page.on("console", (said) => {
      if (["error", "warning"].includes(said.type())) complaints.push(said.text());
    });
    await page.goto(where);
    await page.waitForFunction(() => window.otterkeeper !== undefined);
    return page;
  }

  /** Opens a page whose cluster has a leader and stands still. */
  async function settled() {
    const page = await open();
    await leader(page);
    await ahead(page, SECOND);
    return page;
  }

  test("loads, and one leader appears", async () => {
    const begun = Date.now();
    const page = await open();
    console.log(`* page ready after ${Date.now() - begun} ms`);
    const { id, term } = await leader(page);
    assert.ok(id >= 1 && term >= 1);
    assert.equal(await page.locator('[data-testid^="node-"][data-role]').count(), 5);
    await allHold(page);
    await page.close();
  });

  test("a leader killed by click gives a new one in a higher term", async () => {
    const page = await open();
    const old = await leader(page);
    await page.getByTestId(`node-${old.id}`).click();
    await page.getByTestId("kill").click();
    await page.waitForSelector(`[data-testid="node-${old.id}"][data-role="down"]`);
    const fresh = await leader(page, (one) => one.term > old.term);
    assert.notEqual(fresh.id, old.id);
    await page.getByTestId("restart").click();
    await page.waitForSelector(`[data-testid="node-${old.id}"][data-role="follower"]`);
    await allHold(page);
    await page.close();
  });

  test("a 3-2 partition blocks the minority's write, and heals", async () => {
    const page = await settled();
    const old = await leader(page);
    await split(page);
    // The old leader is on the smaller side; whoever asks it for a write waits, until it hangs up for
    // want of a majority and the client tries elsewhere.
    await command(page, old.id, "create /minority 1");
    await ahead(page, 0.3 * SECOND);
    const said = page.getByTestId("command-output");
    assert.doesNotMatch(await said.innerText(), /Created \/minority/);
    await ahead(page, 5 * SECOND);
    await lacks(page, old.id, "/minority");
    const fresh = await leader(page, (one) => one.term > old.term);
    await command(page, fresh.id, "create /majority 1");
    await ahead(page, 2 * SECOND);
    assert.match(await said.innerText(), /Created \/majority/);

    await page.getByTestId("heal").click();
    await ahead(page, 5 * SECOND);
    assert.equal(await page.locator('[data-role="leader"]').count(), 1);
    assert.equal(await page.locator('[data-state="cut"]').count(), 0);
    for (const id of [1, 2, 3, 4, 5]) await shows(page, id, "/majority");
    await allHold(page);
    await page.close();
  });

  test("a write on the command line appears in the tree of every node", async () => {
    const page = await settled();
    await command(page, 3, "create /otter 1");
    await ahead(page, 2 * SECOND);
    assert.match(await page.getByTestId("command-output").innerText(), /Created \/otter/);
    for (const id of [1, 2, 3, 4, 5]) await shows(page, id, "/otter");
    await page.close();
  });

  test("seeking back restores an earlier digest", async () => {
    const page = await settled();
    const moments = [];
    for (let step = 0; step < 4; step += 1) {
      await ahead(page, SECOND);
      moments.push(await moment(page));
    }
    assert.equal(new Set(moments.map((one) => one.digest)).size, 4);
    for (const earlier of [moments[1], moments[0], moments[2], moments[3]]) {
      await page.evaluate((us) => window.otterkeeper.seek(us), earlier.us);
      assert.deepEqual(await moment(page), earlier);
    }
    await page.close();
  });

  test("a shared link reaches the same state in another tab", async () => {
    const page = await settled();
    await command(page, 1, "create /shared 1");
    await page.keyboard.press("Escape");
    await page.getByTestId("node-2").click();
    await page.getByTestId("kill").click();
    await ahead(page, 3 * SECOND);
    const here = await moment(page);
    await page.getByTestId("share").click();
    await page.waitForFunction(() => location.hash.includes("run"));
    const link = await page.evaluate(() => navigator.clipboard.readText());
    assert.ok(link.startsWith(home), link);

    const other = await open(link);
    await other.waitForFunction((digest) => window.otterkeeper.digest() === digest, here.digest);
    assert.deepEqual(await moment(other), here);
    await other.close();
    await page.close();
  });

  test("speaks Korean and English", async () => {
    const page = await open();
    const share = page.getByTestId("share");
    const english = await share.innerText();
    await page.getByTestId("lang-ko").click();
    await page.waitForFunction((old) => document.querySelector("[data-testid=share]").innerText !== old, english);
    assert.match(await share.innerText(), /\p{Script=Hangul}/u);
    await page.getByTestId("lang-en").click();
    await page.waitForFunction((old) => document.querySelector("[data-testid=share]").innerText === old, english);
    await page.close();
  });

  test("runs from the keyboard alone", async () => {
    const page = await settled();
    await page.keyboard.press(".");
    const before = await moment(page);
    await page.keyboard.press(".");
    assert.equal((await moment(page)).events, before.events + 1);
    await page.keyboard.press(",");
    assert.deepEqual(await moment(page), before);
    const { id, term } = await leader(page);
    await page.keyboard.press(String(id));
    await page.keyboard.press("k");
    await page.waitForSelector(`[data-testid="node-${id}"][data-role="down"]`);
    await page.keyboard.press(" ");
    await leader(page, (one) => one.term > term);
    await page.keyboard.press(" ");
    await page.keyboard.press("k");
    await page.waitForSelector(`[data-testid="node-${id}"]:not([data-role="down"])`);
    await page.keyboard.press("/");
    await page.waitForFunction(() => document.activeElement?.dataset.testid === "command");
    await page.keyboard.type("create /typed 1\n");
    await ahead(page, 2 * SECOND);
    assert.match(await page.getByTestId("command-output").innerText(), /Created \/typed/);
    await page.close();
  });

  test("fits a telephone of 390 pixels", async () => {
    const phone = await browser.newContext({ viewport: NARROW, hasTouch: true, locale: "en-GB" });
    const page = await open(home, phone);
    const { id, term } = await leader(page);
    const width = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(width <= NARROW.width, `the page is ${width} px wide`);
    await page.getByTestId("play").waitFor({ state: "visible" });
    await page.getByTestId(`node-${id}`).tap();
    await page.getByTestId("kill").tap();
    await leader(page, (one) => one.term > term);
    await phone.close();
  });

  test("the console has nothing to complain of", () => {
    assert.deepEqual(complaints, []);
  });
});

/** Waits for exactly one leader, the newest where there are two, that `fits`. */
async function leader(page, fits = () => true) {
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
async function ahead(page, us) {
  await page.evaluate((us) => window.otterkeeper.seek(window.otterkeeper.now() + us), us);
  await drawn(page);
}

async function moment(page) {
  return page.evaluate(() => {
    const { digest, now, events } = window.otterkeeper;
    return { digest: digest(), us: now(), events: events() };
  });
}

/** Two frames later what the model says is on the screen. */
async function drawn(page) {
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
}

async function split(page) {
  await page.getByTestId("split").click();
  await page.waitForFunction(() => document.querySelectorAll('[data-testid^="link-"][data-state="cut"]').length === 12);
}

/** Types a command to the client at node `id`. */
async function command(page, id, text) {
  await page.getByTestId("tab-clients").click();
  await page.getByTestId(`at-${id}`).click();
  const line = page.getByTestId("command");
  await line.fill(text);
  await line.press("Enter");
  await drawn(page);
}

/** Node `id` has `path` in its own tree. */
async function shows(page, id, path) {
  await page.getByTestId("tab-znodes").click();
  await page.getByTestId(`at-${id}`).click();
  await page.getByTestId(`znode:${path}`).waitFor({ state: "visible" });
}

/** Node `id` does not have `path`. */
async function lacks(page, id, path) {
  await page.getByTestId("tab-znodes").click();
  await page.getByTestId(`at-${id}`).click();
  await page.getByTestId("znode:/").waitFor({ state: "visible" });
  assert.equal(await page.getByTestId(`znode:${path}`).count(), 0);
}

async function allHold(page) {
  const states = await page.locator('[data-testid^="invariant-"]').evaluateAll((all) =>
    all.map((one) => [one.dataset.testid, one.dataset.state]));
  assert.ok(states.length >= 6, `${states.length} invariants`);
  for (const [name, state] of states) assert.equal(state, "ok", name);
}

const TYPES = {
  ".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".wasm": "application/wasm",
  ".svg": "image/svg+xml", ".png": "image/png",
};

function serve(request, response) {
  const path = normalize(decodeURIComponent(new URL(request.url, "http://x").pathname));
  const file = join(www, path === "/" ? "index.html" : path);
  if (!existsSync(file) || !statSync(file).isFile()) {
    response.writeHead(path === "/favicon.ico" ? 204 : 404).end();
    return;
  }
  response.writeHead(200, { "content-type": TYPES[extname(file)] ?? "application/octet-stream" });
  response.end(readFileSync(file));
}
