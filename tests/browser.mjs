// The page in a real browser: headless Chromium, driven by playwright-core under node's test runner.
// `cargo xtask test` installs both, builds the page, and says where they are:
//   OTTERKEEPER_WWW=target/www OTTERKEEPER_PLAYWRIGHT=.../playwright-core OTTERKEEPER_AXE=.../axe-core \
//     node --test tests/browser.mjs
// Stories of one kind are in files of their own in tests/browser.
// It knows the page by its test hooks only (data-testid, window.otterkeeper), never by its markup.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { pathToFileURL } from "node:url";

import { access } from "./browser/access.mjs";
import { faults } from "./browser/faults.mjs";
import { history } from "./browser/history.mjs";
import { inspect } from "./browser/inspect.mjs";
import { keys } from "./browser/keys.mjs";
import { links } from "./browser/links.mjs";
import { time } from "./browser/time.mjs";
import { tree } from "./browser/tree.mjs";
import { readLog, readTimeline, saved } from "./browser/exports.mjs";
import { LIMIT, ahead, allHold, command, drawn, lacks, leader, moment, serve, shows, split, underWay } from "./browser/tab.mjs";

const playwright = join(process.env.OTTERKEEPER_PLAYWRIGHT, "index.mjs");
const { chromium } = await import(pathToFileURL(playwright));

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

  /**
   * Opens a page whose cluster has a leader and stands still. Always at the same moment, however fast the page came
   * up: what happens next is then the same in every run of a story.
   */
  async function settled() {
    const page = await open();
    await page.evaluate((us) => window.otterkeeper.seek(us), 1.3 * SECOND);
    await drawn(page);
    await leader(page);
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
    // A client with a session on the leader, which is then on the smaller side.
    await command(page, old.id, "create /before 1");
    await ahead(page, SECOND);
    await split(page);
    await command(page, old.id, "create /minority 1");
    // The write lies in the old leader's log, and nobody is told that it was made: the client hears that
    // nobody can know, and does not ask again by itself.
    await ahead(page, 8 * SECOND);
    const said = page.getByTestId("command-output");
    assert.match(await said.innerText(), /Created \/before/);
    assert.doesNotMatch(await said.innerText(), /Created \/minority/);
    for (const id of [1, 2, 3, 4, 5]) await lacks(page, id, "/minority");
    const fresh = await leader(page, (one) => one.term > old.term);
    await command(page, fresh.id, "create /majority 1");
    await ahead(page, 2 * SECOND);
    assert.match(await said.innerText(), /Created \/majority/);

    await page.getByTestId("heal").click();
    await ahead(page, 5 * SECOND);
    assert.equal(await page.locator('[data-role="leader"]').count(), 1);
    assert.equal(await page.locator('[data-state="cut"]').count(), 0);
    for (const id of [1, 2, 3, 4, 5]) {
      await shows(page, id, "/majority");
      await lacks(page, id, "/minority");
    }
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
    await page.getByTestId("notice").getByText("clipboard").waitFor();
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

  test("messages are dealt with by keyboard alone", async () => {
    const page = await settled();
    const chosen = page.getByTestId("chosen");
    const flights = () => page.locator("#messages g[data-flight]:not(.gone)").count();
    // To the messages by the Tab key, and from one to the next by an arrow.
    await underWay(page, 2);
    await page.locator("#messages").focus();
    await page.keyboard.press("ArrowRight");
    await page.waitForFunction(() => document.querySelector("[data-testid=chosen]").innerText !== "");
    const first = await chosen.innerText();
    assert.match(first, /from .* to /);
    const id = await page.locator("#messages g.sel").getAttribute("data-flight");
    await page.keyboard.press("ArrowRight");
    await drawn(page);
    assert.notEqual(await page.locator("#messages g.sel").getAttribute("data-flight"), id);
    await page.keyboard.press("ArrowLeft");
    await drawn(page);
    assert.equal(await page.locator("#messages g.sel").getAttribute("data-flight"), id);

    // N delivers it, D makes it late, W sends it twice, X drops it: each is an event of the run.
    for (const [key, more] of [["w", 1], ["d", 0], ["n", -1], ["x", -1]]) {
      await underWay(page, 2);
      await page.keyboard.press("Escape");
      await page.keyboard.press("j");
      await drawn(page);
      const before = await moment(page);
      const there = await flights();
      await page.keyboard.press(key);
      await drawn(page);
      const after = await moment(page);
      assert.equal(after.events, before.events + 1, key);
      assert.equal(after.us, before.us, "the clock stands still");
      assert.notEqual(after.digest, before.digest, key);
      // What a delivery sets off may send new messages.
      if (key !== "n") assert.equal(await flights(), there + more, key);
      await page.keyboard.press("Control+z");
      assert.deepEqual(await moment(page), before, `undo of ${key}`);
      await page.getByTestId("tab-runs").click();
      await page.getByTestId("redo").click();
      assert.deepEqual(await moment(page), after, `redo of ${key}`);
    }
    await allHold(page);
    await page.close();
  });

  test("messages are dealt with by click", async () => {
    const page = await settled();
    for (const button of ["drop", "delay-message", "duplicate", "deliver"]) {
      await underWay(page, 1);
      await page.locator("#messages g[data-flight]:not(.gone)").first().dispatchEvent("click");
      const before = await moment(page);
      await page.getByTestId(button).click();
      assert.equal((await moment(page)).events, before.events + 1, button);
    }
    await allHold(page);
    await page.close();
  });

  test("loss, delay and load follow their sliders", async () => {
    const page = await settled();
    const set = async (name, value) => {
      const slider = page.getByTestId(name);
      await slider.fill(String(value));
      assert.equal(await slider.inputValue(), String(value));
    };
    await set("loss", 500);
    await page.getByTestId("link-1-2").dispatchEvent("click");
    assert.match(await page.locator(".inspect").innerText(), /50 %/);
    await set("delay", 150);
    assert.match(await page.locator(".inspect").innerText(), /50.150 ms/);
    await set("load", 100);
    await ahead(page, 4 * SECOND);
    await set("loss", 0);
    await set("delay", 15);
    await ahead(page, 4 * SECOND);
    const { id } = await leader(page);
    await page.getByTestId(`node-${id}`).click();
    const committed = Number(await page.locator(`[data-testid="node-${id}"]`).getAttribute("data-commit"));
    assert.ok(committed > 50, `${committed} entries were committed under load`);
    await allHold(page);
    await page.close();
  });

  test("a node takes a snapshot, freezes its disk, and a leader is left alone", async () => {
    const page = await settled();
    const { id, term } = await leader(page);
    for (let write = 0; write < 5; write += 1) {
      await page.keyboard.press("r");
      await ahead(page, 0.5 * SECOND);
    }
    await page.getByTestId(`node-${id}`).click();
    await page.getByTestId("snapshot").click();
    await ahead(page, SECOND);
    const facts = page.locator(".inspect dl, .inspect .facts");
    assert.match(await facts.first().innerText(), /snapshot\s+\d+/);
    await page.getByTestId("freeze").click();
    // The write that the disk does not take is what tells the leader.
    await page.keyboard.press("r");
    await ahead(page, 4 * SECOND);
    const fresh = await leader(page, (one) => one.term > term);
    assert.notEqual(fresh.id, id);
    await page.getByTestId(`node-${id}`).click();
    await page.getByTestId("freeze").click();

    await page.getByTestId("leader-alone").click();
    await ahead(page, 4 * SECOND);
    const third = await leader(page, (one) => one.term > fresh.term);
    assert.notEqual(third.id, fresh.id);
    await page.getByTestId("heal").click();
    await ahead(page, 4 * SECOND);
    assert.equal(await page.locator('[data-role="leader"]').count(), 1);
    await allHold(page);
    await page.close();
  });

  test("every step of every lesson can be shown, and is noticed", async () => {
    const page = await open();
    await page.getByTestId("learn").click();
    const names = await page.locator('.choice[data-testid^="lesson-"]').evaluateAll((all) => all.map((one) => one.dataset.testid.replace("lesson-", "")));
    assert.equal(names.length, 11);
    // Twice real time instead of a sixteenth of it.
    for (let press = 0; press < 5; press += 1) await page.keyboard.press("]");
    for (const name of names) {
      await page.getByTestId(`lesson-${name}`).click();
      const steps = await page.locator(".steps button").count();
      for (let step = 0; step < steps; step += 1) {
        // Some steps want nothing but time to pass, and that it does by itself.
        const show = page.getByTestId("lesson-show");
        await show.evaluate((button) => button.disabled || button.click());
        await page.waitForSelector('[data-testid="lesson-step"][data-done="true"]').catch((late) => {
          throw new Error(`${name}, step ${step + 1}: ${late}`);
        });
        await page.waitForFunction(() => !document.querySelector("[data-testid=lesson-show]").matches("[data-busy]"));
        if (step + 1 < steps) await page.getByTestId("lesson-next").click();
      }
      await page.locator(".afterwards summary").click();
      await allHold(page);
      await page.getByTestId("lesson-leave").click();
      await page.getByTestId("learn").click();
    }
    await page.close();
  });

  test("the first lesson is learned from the keyboard alone", async () => {
    const page = await open(`${home}#/learn/roles/1`);
    for (let press = 0; press < 3; press += 1) await page.keyboard.press("]");
    const done = () => page.waitForSelector('[data-testid="lesson-step"][data-done="true"]');
    const next = async (step) => {
      await page.getByTestId("lesson-next").focus();
      await page.keyboard.press("Enter");
      await page.waitForSelector(`[data-testid="lesson-step"][data-step="${step}"]`);
      await page.evaluate(() => document.activeElement.blur());
    };
    await done();
    await next("leader");
    await done();
    await next("silence");
    const { id } = await leader(page);
    await page.keyboard.press(String(id));
    await page.keyboard.press("i");
    await done();
    await next("successor");
    await done();
    await next("return");
    await page.keyboard.press("h");
    await done();
    await allHold(page);
    await page.close();
  });

  test("two clients hold one lock, and the number refuses the late write", async () => {
    const page = await open(`${home}#/learn/lock/4`);
    for (let press = 0; press < 5; press += 1) await page.keyboard.press("]");
    const holds = (client) => page.getByTestId(`client-${client}`).locator('[data-state="holds"]');
    const show = async () => {
      await page.getByTestId("lesson-show").click();
      await page.waitForSelector('[data-testid="lesson-step"][data-done="true"]');
    };
    await show();
    for (const client of ["A", "C"]) await holds(client).waitFor();
    await page.getByTestId("lesson-next").click();
    await show();
    const store = page.getByTestId("store:/lock");
    await store.getByText(/\bold\b.*C/).waitFor();
    await page.getByTestId("lesson-next").click();
    await show();
    await store.getByText(/\bnewer\b.*C/).waitFor();
    await allHold(page);
    await page.close();
  });

  test("every rule that is broken on purpose costs what the page says", async () => {
    const page = await open();
    await page.getByTestId("rules").click();
    assert.equal(await page.locator(".choice").first().getAttribute("data-testid"), "rule-forget-vote");
    const keys = await page.locator('.choice[data-testid^="rule-"]').evaluateAll((all) => all.map((one) => one.dataset.testid));
    assert.equal(keys.length, 7);
    for (let press = 0; press < 5; press += 1) await page.keyboard.press("]");
    for (const key of keys) {
      await page.getByTestId(key).click();
      await page.getByTestId("lesson-show").click();
      await page.getByTestId("fell").waitFor().catch((late) => {
        throw new Error(`${key}: ${late}`);
      });
      const broken = await page.locator('[data-testid^="invariant-"][data-state="broken"]').count();
      // Two of them cost progress, which no promise is about.
      const quiet = ["rule-equal-timeouts", "rule-no-pre-vote"].includes(key);
      assert.equal(0 < broken, !quiet, key);
      await page.getByTestId("lesson-leave").click();
      await page.getByTestId("rules").click();
    }
    await page.close();
    const linked = await open(`${home}#/rule/own-fsync`);
    assert.equal(await linked.getByTestId("lesson-step").getAttribute("data-step"), "break");
    // It is a mode of its own: to the lessons, and back to the rules.
    const pressed = async (key) => (await linked.getByTestId(key).getAttribute("aria-pressed")) === "true";
    assert.deepEqual([await pressed("learn"), await pressed("sandbox"), await pressed("rules")], [false, false, true]);
    await linked.getByTestId("learn").click();
    await linked.locator('.choice[data-testid="lesson-roles"]').waitFor();
    assert.equal(await linked.getByTestId("lesson-step").count(), 0);
    assert.ok(await pressed("learn"));
    await linked.close();
  });

  test("a visitor does a step line by line", async () => {
    const page = await open(`${home}#/learn/queue/1`);
    for (let press = 0; press < 5; press += 1) await page.keyboard.press("]");
    for (const line of await page.getByTestId("line").all()) await line.click();
    await page.waitForSelector('[data-testid="lesson-step"][data-done="true"]');
    await page.close();
  });

  test("a link to a step finds the steps before it done, and one to nowhere says so", async () => {
    const page = await open(`${home}#/learn/old-leader/4`);
    assert.equal(await page.getByTestId("lesson-step").getAttribute("data-step"), "heal");
    assert.equal(await page.locator(".steps button.done").count(), 3);
    await page.close();
    const lost = await open(`${home}#/learn/nothing/1`);
    await lost.getByTestId("notice").waitFor();
    await lost.close();
  });

  test("a link that tells of another state says so", async () => {
    const page = await settled();
    await page.getByTestId("share").click();
    await page.waitForFunction(() => location.hash.includes("&h="));
    const link = await page.evaluate(() => location.href);
    const wrong = link.replace(/&h=([0-9a-f]{16})/, (_, hash) => `&h=${hash.replace(/./g, (digit) => (digit === "0" ? "1" : "0"))}`);
    const other = await open(wrong);
    await other.waitForFunction((hash) => document.querySelector("[data-testid=notice]")?.innerText.includes(hash), (await moment(page)).digest);
    assert.match(await other.getByTestId("notice").innerText(), /0000|1111/);
    await other.close();
    await page.close();
  });

  test("a run is saved in seven forms, each read by what reads it", async () => {
    const page = await settled();
    await command(page, 1, "create /saved 1");
    await page.keyboard.press("Escape");
    await page.getByTestId("node-2").click();
    await page.getByTestId("kill").click();
    await ahead(page, 3 * SECOND);
    const here = await moment(page);

    const picture = (await saved(page, "svg")).bytes.toString();
    const drawing = await page.evaluate((text) => {
      const read = new DOMParser().parseFromString(text, "image/svg+xml");
      return { root: read.documentElement.localName, wrong: read.querySelector("parsererror")?.textContent, shapes: read.querySelectorAll("circle").length, odd: /var\(|oklch|oklab|class=/.exec(text)?.[0] };
    }, picture);
    assert.deepEqual([drawing.root, drawing.wrong, drawing.odd], ["svg", undefined, undefined]);
    assert.ok(drawing.shapes > 5);
    // Alone in a tab of its own it looks like something: more than one colour.
    const alone = await context.newPage();
    await alone.setContent(`<img src="data:image/svg+xml;base64,${Buffer.from(picture).toString("base64")}">`);
    assert.ok(await alone.evaluate(async () => {
      const image = document.querySelector("img");
      await image.decode();
      return image.naturalWidth > 100;
    }));
    await alone.close();

    const lanes = (await saved(page, "lanes")).bytes.toString();
    const arrows = await page.evaluate((text) => {
      const read = new DOMParser().parseFromString(text, "image/svg+xml");
      return { wrong: read.querySelector("parsererror")?.textContent, arrows: read.querySelectorAll(".m").length, lanes: read.querySelectorAll(".lane").length, says: read.querySelector("desc").textContent, led: read.querySelectorAll(".leader").length };
    }, lanes);
    assert.equal(arrows.wrong, undefined);
    assert.ok(arrows.arrows > 100 && arrows.lanes === 6 && arrows.led > 0, JSON.stringify(arrows));
    assert.match(arrows.says, new RegExp(`seed 42, ${here.events} events, digest ${here.digest}`));

    const timeline = await saved(page, "perfetto");
    assert.match(timeline.name, /^otterkeeper-5-42-\d+\.json$/);
    const { arrived, digest } = readTimeline(timeline.bytes.toString());
    assert.equal(digest, here.digest);
    assert.ok(arrived > 100);
    const log = readLog((await saved(page, "shiviz")).bytes.toString());
    assert.ok(log.hosts >= 6 && log.arrived > 100, JSON.stringify(log));

    // The page opens what it saved, by picking the file and by dropping it.
    for (const form of ["trace", "scenario", "rust"]) {
      const file = await saved(page, form);
      const other = await open();
      await other.getByTestId("export").click();
      await other.getByTestId("import-file").setInputFiles({ name: file.name, mimeType: "application/octet-stream", buffer: file.bytes });
      await other.waitForFunction((wanted) => window.otterkeeper.digest() === wanted, here.digest);
      assert.deepEqual(await moment(other), here, form);
      await other.getByTestId("notice").getByText(here.digest).waitFor();
      await other.close();
    }
    const file = await saved(page, "scenario");
    const other = await open();
    await other.evaluate((text) => {
      const data = new DataTransfer();
      data.items.add(new File([text], "run.scenario"));
      window.dispatchEvent(new DragEvent("drop", { dataTransfer: data, cancelable: true }));
    }, file.bytes.toString());
    await other.waitForFunction((wanted) => window.otterkeeper.digest() === wanted, here.digest);
    // What cannot be followed is refused with a sentence.
    for (const bad of ["nodes 3\nuntil leader", "nodes 3 clients 4000000000", "nonsense", "nodes 3 seed 1\nevent 99999999 at 1s"]) {
      const good = await other.evaluate((text) => window.otterkeeper.load(new TextEncoder().encode(text)), bad);
      assert.equal(good, false, bad);
      await other.locator("[data-testid=notice].bad").waitFor();
    }
    await other.close();
    await page.close();
  });

  test("the exported test is the one that runs in the suite", async () => {
    const text = readFileSync(new URL("exported.rs", import.meta.url), "utf8");
    const page = await open();
    assert.ok(await page.evaluate((text) => window.otterkeeper.load(new TextEncoder().encode(text)), text));
    const digest = /^digest (\S+)$/m.exec(text)[1];
    await page.waitForFunction((wanted) => window.otterkeeper.digest() === wanted, digest);
    assert.equal(await page.evaluate(() => window.otterkeeper.export("rust")), text);
    await page.close();
  });

  test("the menu of exports works from the keyboard", async () => {
    const page = await settled();
    await page.getByTestId("export").focus();
    await page.keyboard.press("Enter");
    const focused = () => page.evaluate(() => document.activeElement?.dataset.testid);
    const wait = (name) => page.waitForFunction((name) => document.activeElement?.dataset.testid === name, name);
    await wait("export-trace");
    await page.keyboard.press("ArrowDown");
    assert.equal(await focused(), "export-scenario");
    await page.keyboard.press("ArrowUp");
    await page.keyboard.press("ArrowUp");
    assert.equal(await focused(), "import");
    await page.keyboard.press("ArrowDown");
    const [download] = await Promise.all([page.waitForEvent("download"), page.keyboard.press("Enter")]);
    assert.match(download.suggestedFilename(), /\.trace$/);
    await page.getByTestId("export").focus();
    await page.keyboard.press("Enter");
    await wait("export-trace");
    await page.keyboard.press("Escape");
    assert.equal(await focused(), "export");
    assert.equal(await page.getByTestId("export").getAttribute("aria-expanded"), "false");
    await page.close();
  });

  for (const [rule, needed] of [["old-term", 5], ["no-log-check", 3]]) {
    test(`a broken rule shows the shortest damage, and plays it ${rule}`, async () => {
      const page = await open(`${home}#/rule/${rule}`);
      for (let press = 0; press < 5; press += 1) await page.keyboard.press("]");
      await page.getByTestId("lesson-show").click();
      const damage = page.getByTestId("damage");
      await damage.waitFor();
      const count = async (name) => Number(await damage.getAttribute(`data-${name}`));
      const [before, after] = [await count("before"), await count("after")];
      console.log(`* ${before} interventions, ${after} needed`);
      assert.ok(0 < after && after < before);
      assert.equal(await damage.locator("li").count(), after);
      await page.getByTestId("damage-play").click();
      await page.waitForSelector('[data-testid="invariant-leader-completeness"][data-state="broken"]');
      const nodes = await page.locator('[data-testid^="node-"][data-role]').count();
      assert.equal(nodes, needed);
      assert.match(await page.getByTestId("damage").innerText(), new RegExp(`${nodes} nodes are enough`));
      await page.close();
    });
  }

  test("a run is found, opens as any other and has a link", async () => {
    const page = await settled();
    await page.getByTestId("tab-runs").click();
    await page.getByTestId("find-two-leaders").click();
    await page.getByTestId("find-outcome").waitFor();
    await page.waitForFunction(() => document.querySelectorAll('[data-role="leader"]').length === 2);
    const here = await moment(page);
    await page.getByTestId("share").click();
    await page.waitForFunction(() => location.hash.includes("run"));
    const other = await open(await page.evaluate(() => location.href));
    await other.waitForFunction((digest) => window.otterkeeper.digest() === digest, here.digest);
    await other.close();
    // One who does not want to wait gets the best so far; time goes on meanwhile.
    // The page looks by itself: on a busy machine the search could be over before somebody outside has found the button.
    await page.evaluate(() => {
      const look = (done) => {
        if (document.querySelector("[data-testid=find-state] progress")?.value > 2) {
          document.querySelector("[data-testid=cancel]").click();
          done();
        } else requestAnimationFrame(() => look(done));
      };
      window.cancelled = new Promise(look);
    });
    await page.getByTestId("find-outage").click();
    await page.evaluate(() => window.cancelled);
    await page.getByTestId("find-outcome").waitFor();
    assert.match(await page.getByTestId("find-outcome").innerText(), /\d+ ms/);
    await page.waitForFunction(() => document.querySelectorAll('[data-role="down"]').length === 1);
    await allHold(page);
    await page.close();
  });

  test("works from a folder of any web server, and then without a network", async () => {
    const folder = createServer((request, response) => {
      if (!request.url.startsWith("/some/where/")) return void response.writeHead(404).end();
      request.url = request.url.slice("/some/where".length);
      serve(request, response);
    }).listen(0, "127.0.0.1");
    await new Promise((ready) => folder.once("listening", ready));
    const own = await browser.newContext({ viewport: WIDE, locale: "en-GB" });
    const there = `http://127.0.0.1:${folder.address().port}/some/where/`;
    const page = await open(there, own);
    await leader(page);
    // The worker has everything before it takes over.
    await page.evaluate(() => navigator.serviceWorker.ready);
    const keys = await page.evaluate(() => caches.keys());
    assert.equal(keys.length, 1);
    assert.match(keys[0], /\/some\/where\/ [0-9a-f]{16}$/);
    await new Promise((closed) => { folder.close(closed); folder.closeAllConnections(); });
    await own.setOffline(true);
    await page.reload();
    await page.waitForFunction(() => window.otterkeeper !== undefined);
    await leader(page);
    await allHold(page);
    // A link is answered too.
    const linked = await open(`${there}#/learn/roles/1`, own);
    await linked.getByTestId("lesson-step").waitFor();
    await own.close();
  });

  test("branches are compared, named and deleted, and the ghost shows what would be", async () => {
    const page = await settled();
    const old = await leader(page);
    const begun = await moment(page);
    await ahead(page, 2 * SECOND);
    await page.evaluate((us) => window.otterkeeper.seek(us), begun.us);
    await page.getByTestId(`node-${old.id}`).click();
    await page.getByTestId("kill").click();
    await ahead(page, 2 * SECOND);
    const here = await moment(page);
    await page.getByTestId("tab-runs").click();
    await page.getByTestId("branch-2").waitFor();
    await page.getByTestId("compare-1").click();
    const compared = page.getByTestId("compare");
    // The first difference is what the visitor did.
    assert.match(await compared.locator("li.first").first().innerText(), new RegExp(`${old.id}`));
    assert.ok(await compared.locator("tr.differs").count() >= 4);

    await page.getByTestId("ghost").check();
    const ghost = page.getByTestId(`ghost-${old.id}`);
    assert.match(await ghost.textContent(), /leader/);
    assert.deepEqual(await moment(page), here, "looking changes nothing");
    await page.getByTestId("ghost").uncheck();
    assert.equal(await ghost.count(), 0);

    await page.getByTestId("branch-name").fill("without the king");
    await page.getByTestId("branch-name").press("Enter");
    await page.getByTestId("branch-2").getByText("without the king").waitFor();
    await page.getByTestId("branch-1").click();
    await page.getByTestId("delete-2").click();
    assert.equal(await page.getByTestId("branch-2").count(), 0);
    await allHold(page);
    await page.close();
  });

  test("all promises are in sight at 1280 pixels, in both languages", async () => {
    const page = await settled();
    for (const language of ["en", "ko"]) {
      await page.getByTestId(`lang-${language}`).click();
      await drawn(page);
      const hidden = await page.locator('[data-testid^="invariant-"]').evaluateAll((all) => {
        const majority = document.querySelector('[data-testid="quorum"]').getBoundingClientRect();
        const seen = (one) => {
          const box = one.getBoundingClientRect();
          const within = 0 <= box.left && box.right <= innerWidth && box.bottom <= innerHeight;
          const beside = box.right <= majority.left || box.bottom <= majority.top + 1;
          return within && beside && one.contains(document.elementFromPoint((box.left + box.right) / 2, (box.top + box.bottom) / 2));
        };
        return all.filter((one) => !seen(one)).map((one) => one.dataset.testid);
      });
      assert.deepEqual(hidden, [], language);
    }
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
    await page.getByTestId("tab-clients").tap();
    const line = await page.getByTestId("command").boundingBox();
    assert.ok(line.y + line.height <= NARROW.height, "the command line is in view");
    // On its side: what was below the stage is beside it.
    await page.setViewportSize({ width: NARROW.height, height: NARROW.width });
    await drawn(page);
    const stage = await page.getByTestId(`node-${id}`).boundingBox();
    const play = await page.getByTestId("play").boundingBox();
    const tab = await page.getByTestId("tab-clients").boundingBox();
    assert.ok(stage.x + stage.width < tab.x, "the tabs are beside the stage");
    const sheet = await page.getByTestId("command").boundingBox();
    assert.ok(sheet.y + sheet.height <= play.y && play.y + play.height <= NARROW.width, "the command line is in view, and the play bar");
    await phone.close();
  });

  test("nothing is wider than the screen, however wide that is", async () => {
    for (const locale of ["en-GB", "ko-KR"]) {
      const context = await browser.newContext({ viewport: WIDE, locale });
      const page = await open(home, context);
      await leader(page);
      for (const width of [320, 390, 720, 861, 900, 1000, 1101, 1200, 1280]) {
        await page.setViewportSize({ width, height: WIDE.height });
        await drawn(page);
        const wide = await page.evaluate(() => document.documentElement.scrollWidth);
        assert.ok(wide <= width, `${locale}: ${wide} px on a screen of ${width}`);
      }
      await context.close();
    }
  });

  const stage = { open, settled, home: () => home, browser: () => browser };
  for (const stories of [faults, history, inspect, time, tree, keys, links, access]) stories(stage);

  test("the console has nothing to complain of", () => {
    assert.deepEqual(complaints, []);
  });
});
