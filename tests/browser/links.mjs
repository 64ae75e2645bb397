// Links: to a lesson in another page, and those that somebody has tampered with. Each of these gets a
// sentence within a second, and the page goes on.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { test } from "node:test";
import { deflateRawSync, inflateRawSync } from "node:zlib";

import { ahead, command, drawn, leader, moment, serve, underWay } from "./tab.mjs";

const SECOND = 1_000_000;
const packed = (bytes) => deflateRawSync(bytes, { level: 9 }).toString("base64url");

/** Does something that takes a second at most, undone in between if the machine was busy with something else. */
async function withinASecond(name, act, undo) {
  let took = Infinity;
  for (let turn = 0; turn < 3 && 1_000 <= took; turn += 1) {
    const begun = Date.now();
    await act();
    took = Math.min(took, Date.now() - begun);
    await undo();
  }
  assert.ok(took < 1_000, `${name}: ${took} ms`);
}

export function links({ open, settled, home, browser }) {
  /** A link to a run with something in it. */
  async function good() {
    const page = await settled();
    await page.getByTestId("node-2").click();
    await page.getByTestId("kill").click();
    await ahead(page, SECOND);
    await page.getByTestId("share").click();
    await page.waitForFunction(() => location.hash.includes("&h="));
    const link = await page.evaluate(() => location.href);
    await page.close();
    return link;
  }

  test("no link hangs, and each that is refused says why", async () => {
    const link = await good();
    const page = await open();
    const with_ = (name, value) => link.replace(new RegExp(`([?&]${name}=)[^&]*`), `$1${value}`);
    const deeds = /[?&]i=([^&]*)/.exec(link)[1];
    const wrong = {
      "wrong version": [with_("v", "9"), /version/],
      "no version": [link.replace("v=1&", ""), /damaged/],
      truncated: [link.slice(0, link.indexOf("&i=") + 3 + deeds.length / 2), /damaged/],
      "truncated to its name": [`${home()}#/run?`, /damaged/],
      "deeds that are no deeds": [with_("i", "____"), /damaged/],
      "an endless number of deeds": [with_("i", Buffer.from([255, 255, 255, 255, 15, 1, 1]).toString("base64url")), /damaged/],
      "no numbers": [with_("seed", "%00%00"), /damaged/],
      "a node that is not there": [with_("n", "3").replace(deeds, Buffer.from([1, 1, 1, 0, 9]).toString("base64url")), /damaged/],
      "too many nodes": [with_("n", "200"), /3 to 9/],
      "years of time": [with_("t", "99999999999999"), /more than this page executes/],
      "more events than there are": [with_("e", "99999999999"), /more than this page executes/],
      "deflated nonsense": [link.replace(`&i=${deeds}`, "&z=____"), /damaged/],
      "deflated, but no base64": [link.replace(`&i=${deeds}`, "&z=%00"), /damaged/],
      "deflated and cut off": [link.replace(`&i=${deeds}`, `&z=${packed(Buffer.from(deeds, "base64url")).slice(0, 4)}`), /damaged/],
      "no deeds, deflated": [link.replace(`&i=${deeds}`, `&z=${packed(Buffer.alloc(20, 255))}`), /damaged/],
      "a bomb": [link.replace(`&i=${deeds}`, `&z=${packed(Buffer.alloc(40 << 20))}`), /more than this page executes/],
      enormous: [with_("i", "A".repeat(200_000)), /more than this page executes/],
      "a lesson that is none": [`${home()}#/learn/${encodeURIComponent("<b>")}/1`, /lesson/i],
      "a rule that is none": [`${home()}#/rule/nothing`, /lesson/i],
    };
    for (const [name, [bad, says]] of Object.entries(wrong)) {
      await withinASecond(name, async () => {
        await page.evaluate((to) => { location.hash = new URL(to).hash; }, bad);
        await page.waitForFunction((says) => new RegExp(says, "i").test(document.querySelector("[data-testid=notice]")?.innerText ?? ""), says.source, { timeout: 5_000 })
          .catch(async (late) => { throw new Error(`${name}: ${await page.locator(".notices").innerText()}: ${late}`); });
      }, async () => {
        await page.locator('[data-testid="notice"] button').click();
        await page.evaluate(() => { location.hash = ""; });
      });
    }
    // The page is alive.
    await page.getByTestId("play").click();
    await leader(page);
    await page.close();
  });

  test("many interventions are deflated in the link, which says the same", async () => {
    const page = await open();
    const typed = Array.from({ length: 100 }, (_, place) => `client-1 create /app/member-${place} address-${place}`);
    const script = ["nodes 3 seed 1 workload 0", "client-1 at 1", "client-1 create /app 1", ...typed, "event 3000 at 3000000us"].join("\n");
    await page.evaluate((text) => window.otterkeeper.load(new TextEncoder().encode(text)), script);
    await page.waitForFunction(() => window.otterkeeper.now() >= 3_000_000);
    const here = await moment(page);
    await page.getByTestId("share").click();
    await page.getByTestId("notice").getByText("clipboard").waitFor();
    const link = await page.evaluate(() => navigator.clipboard.readText());
    assert.equal(link, await page.evaluate(() => location.href));
    await page.close();
    const [, deflated] = /[?&]z=([^&]*)/.exec(link);
    assert.doesNotMatch(link, /[?&]i=/);
    const plain = inflateRawSync(Buffer.from(deflated, "base64url")).toString("base64url");
    console.log(`* 100 typed commands: ${plain.length} characters, deflated ${deflated.length}`);
    assert.ok(2 * deflated.length < plain.length, `${deflated.length} of ${plain.length}`);
    // Both say the same, also within another page.
    for (const same of [link, link.replace(`z=${deflated}`, `i=${plain}`), link.replace("#/run?", "#/embed/run?")]) {
      const other = await open(same);
      await other.getByTestId("notice").getByText("reproduced").waitFor();
      assert.deepEqual(await moment(other), here);
      await other.close();
    }
  });

  test("when the page breaks itself, it says so, and the run can be loaded again", async () => {
    const page = await settled();
    await page.getByTestId("node-2").click();
    await page.getByTestId("kill").click();
    assert.ok(await page.locator("#broken").isHidden());
    // Nothing that a visitor can do breaks it, so the test says what the browser would say.
    await page.evaluate(() => {
      const error = new WebAssembly.RuntimeError("unreachable");
      window.dispatchEvent(new ErrorEvent("error", { error }));
    });
    const broken = page.getByRole("alert").filter({ hasText: "has stopped" });
    await broken.waitFor();
    const stopped = await moment(page);
    await page.evaluate(() => { window.stale = true; });
    await broken.getByRole("link").click();
    await page.waitForFunction(() => window.stale === undefined && window.otterkeeper !== undefined);
    await page.waitForFunction(() => document.querySelector('[data-testid="node-2"]')?.dataset.role === "down");
    assert.ok((await moment(page)).us <= stopped.us);
    assert.ok(await page.locator("#broken").isHidden());
    await page.close();
  });

  test("a link shows what was shown: tab, selection, tree, client, diagram, name", async () => {
    const page = await settled();
    await command(page, 4, "create /otter 1");
    await page.keyboard.press("Escape");
    await underWay(page, 1);
    await page.keyboard.press("j");
    await page.getByTestId("tab-runs").click();
    await page.getByTestId("branch-name").fill("what if? 100% & \u{c655}");
    await page.getByTestId("branch-name").press("Enter");
    await page.keyboard.press("Escape");
    await page.keyboard.press("j");
    await page.getByTestId("tab-znodes").click();
    await page.getByTestId("diagram").click();
    const shown = async (page) => ({
      ...(await moment(page)),
      tab: await page.locator('[role="tab"][aria-selected="true"]').getAttribute("data-testid"),
      chosen: await page.getByTestId("chosen").innerText(),
      at: await page.locator('[data-testid^="at-"][aria-pressed="true"]').getAttribute("data-testid"),
      diagram: await page.getByTestId("lanes").count(),
    });
    const here = await shown(page);
    assert.equal(here.tab, "tab-znodes");
    assert.equal(here.at, "at-4");
    assert.notEqual(here.chosen, "");
    await page.keyboard.press("s");
    await page.waitForFunction(() => location.hash.includes("&tab=znodes"));
    const link = await page.evaluate(() => location.href);
    await page.close();
    const other = await open(link);
    await other.getByTestId("notice").getByText("reproduced").waitFor();
    await drawn(other);
    assert.deepEqual(await shown(other), here);
    await other.getByTestId("tab-runs").click();
    assert.equal(await other.getByTestId("branch-name").inputValue(), "what if? 100% & \u{c655}");
    // What is not there is left out, and the run is the same.
    const false_ = link.replace(/&tab=.*/, `&tab=none&sel=m99999999&at=77&client=500&view=cinema&b=${"x".repeat(9_000)}`);
    await other.locator('[data-testid="notice"] button').click();
    await other.getByTestId("notice").waitFor({ state: "detached" });
    await other.evaluate((to) => { location.hash = new URL(to).hash; }, false_);
    await other.getByTestId("notice").getByText("reproduced").waitFor();
    await other.waitForFunction(() => document.querySelector("[data-testid=branch-name]")?.value.length === 40);
    assert.equal((await moment(other)).digest, here.digest);
    assert.equal(await other.getByTestId("chosen").innerText(), "");
    await other.close();
  });

  test("a link of another core is executed, and says so", async () => {
    const link = await good();
    const other = link.replace(/core=[0-9a-f]+/, "core=000000000000").replace(/h=([0-9a-f]{16})/, "h=0123456789abcdef");
    const page = await open(other);
    await page.getByTestId("notice").getByText("another version of the core").waitFor();
    await page.close();
  });

  test("a link of another core is opened with that core's page, where it is kept", async () => {
    const elder = "00c0ffee00aa";
    const link = (await good()).replace(/core=[0-9a-f]+/, `core=${elder}`).replace(/&sel=[^&]*/, "");
    const site = createServer((request, response) => {
      const [path] = request.url.split("?");
      if (!path.startsWith("/site/")) return void response.writeHead(404).end();
      if (path === "/site/cores.txt") return void response.end(`0123456789ab\n${elder}\n`);
      // The same page under another name: what makes it another core is none of the site's business.
      request.url = path.replace("/site/", "/").replace(`/cores/${elder}/`, "/");
      serve(request, response);
    }).listen(0, "127.0.0.1");
    await new Promise((ready) => site.once("listening", ready));
    const there = `http://127.0.0.1:${site.address().port}/site/`;
    const own = await browser().newContext({ locale: "en-GB" });
    const fragment = new URL(link).hash;
    for (const [name, hash, offered] of [
      ["another state", fragment.replace(/h=([0-9a-f]{16})/, "h=0123456789abcdef"), true],
      ["not understood", fragment.replace("v=1", "v=2"), true],
      ["damaged", fragment.replace(/&i=[^&]*/, "&i=!!"), true],
      ["deflated and damaged", fragment.replace(/&i=[^&]*/, "&z=____"), true],
      ["the same state", fragment, false],
      ["a core that is not kept", fragment.replace(elder, "ffffffffffff").replace("v=1", "v=2"), false],
      ["a core that is no name", fragment.replace(elder, "../../evil").replace("v=1", "v=2"), false],
    ]) {
      const page = await open(there + hash, own);
      await page.getByTestId("notice").getByText(/reproduced|another version of the core|does not know|damaged/).waitFor();
      const offer = page.getByTestId("elder");
      if (offered) {
        assert.equal(await offer.getAttribute("href"), `${there}cores/${elder}/index.html${hash}`, name);
      } else {
        await page.waitForTimeout(300);
        assert.equal(await offer.count(), 0, name);
      }
      await page.close();
    }
    // By the keyboard, once the worker of the site's own page is there.
    const page = await open(`${there}${fragment.replace(/h=[0-9a-f]{16}/, "h=0123456789abcdef")}`, own);
    await page.evaluate(() => navigator.serviceWorker.ready);
    await page.getByTestId("elder").focus();
    await page.keyboard.press("Enter");
    await page.waitForURL(`${there}cores/${elder}/index.html#/run?**`);
    await page.getByTestId("notice").getByText("another version of the core").waitFor();
    // There the others lie beside it.
    assert.equal(await page.getByTestId("elder").getAttribute("href"), page.url());
    // Until its own worker is there, that of the page before is ready here too.
    await page.waitForFunction(async (scope) => (await navigator.serviceWorker.ready).scope === scope, `${there}cores/${elder}/`);
    const kept = await page.evaluate(async () => {
      const names = await caches.keys();
      return Promise.all(names.map(async (name) => [name.split(" ")[1], (await (await caches.open(name)).keys()).map((one) => one.url)]));
    });
    assert.deepEqual(kept.map(([scope]) => scope).sort(), [there, `${there}cores/${elder}/`]);
    const [, outer] = kept.find(([scope]) => scope === there);
    assert.deepEqual(outer.filter((url) => url.includes("/cores/")), [], "each page keeps its own files only");
    await own.close();
    await new Promise((closed) => { site.close(closed); site.closeAllConnections(); });
  });

  test("a long run shows how far it is, and can be left", async () => {
    const link = await good();
    const page = await open();
    const long = link.replace(/&t=\d+/, "&t=3500000000").replace(/&e=\d+/, "&e=4999999").replace(/&h=[0-9a-f]+/, "");
    await withinASecond("its progress", async () => {
      await page.evaluate((to) => { location.hash = new URL(to).hash; }, long);
      await page.getByTestId("notice").getByText("%").waitFor();
    }, async () => {
      await page.getByTestId("new-run").first().click();
      await page.getByTestId("notice").waitFor({ state: "detached" });
      await page.evaluate(() => { location.hash = ""; });
    });
    assert.ok((await moment(page)).us < 60 * SECOND);
    await page.close();
  });

  test("a page that embeds or opens this one hands over a trace, and nobody else does", async () => {
    const source = await open();
    await ahead(source, SECOND);
    await source.keyboard.press("3");
    await source.getByTestId("kill").click();
    await ahead(source, SECOND);
    const { digest } = await moment(source);
    const trace = await source.evaluate(() => Array.from(window.otterkeeper.export()));
    await source.close();
    const html = `<!doctype html><title>an analysis</title>
      <script>heard = []; addEventListener("message", ({ data, origin }) => heard.push({ ...data, origin }));</script>
      <iframe src="${home()}#/embed/sandbox" width="600" height="500"></iframe><iframe src="${home()}nothing"></iframe>`;
    const site = createServer((_, response) => void response.writeHead(200, { "content-type": "text/html" }).end(html)).listen(0, "127.0.0.1");
    await new Promise((ready) => site.once("listening", ready));
    const page = await browser().newPage();
    await page.goto(`http://127.0.0.1:${site.address().port}/`);
    const origin = new URL(home()).origin;
    const answer = async (act, argument) => {
      await page.evaluate(() => { heard.length = 0; });
      await page.evaluate(act, argument);
      await page.waitForFunction(() => heard.length > 0);
      assert.ok((await page.evaluate(() => heard.length)) === 1);
      return page.evaluate(() => heard[0]);
    };
    const hand = (bytes) => answer(([bytes, to]) => {
      const what = Array.isArray(bytes) ? new Uint8Array(bytes).buffer : typeof bytes === "number" ? new ArrayBuffer(bytes) : bytes;
      frames[0].postMessage({ otterkeeper: "load", bytes: what }, to);
    }, [bytes, origin]);
    await page.waitForFunction(() => heard.length > 0);
    assert.deepEqual(await page.evaluate(() => heard), [{ otterkeeper: "ready", origin }]);
    const inside = page.frames().find((frame) => frame.url().includes("#/embed/"));
    assert.deepEqual(await hand(trace), { otterkeeper: "loaded", origin });
    await inside.waitForFunction((digest) => window.otterkeeper.digest() === digest, digest);
    assert.equal(await inside.getByTestId("embed").count(), 1, "it is the same page as before");
    // The same refusals as of a file that is dropped.
    for (const [bytes, why] of [[[1, 2, 3], /damaged/], ["no bytes", /damaged/], [null, /damaged/], [5 << 20, /more than this page executes/]]) {
      const refused = await hand(bytes);
      assert.equal(refused.otterkeeper, "refused");
      assert.match(refused.why, why);
      assert.equal(await inside.evaluate(() => window.otterkeeper.digest()), digest);
    }
    // Others are not listened to: a page beside it, and the page itself. Nor is anything else.
    await inside.locator('[data-testid="notice"] button').click();
    await page.evaluate(() => { heard.length = 0; });
    await page.frames().find((frame) => frame.url().endsWith("/nothing")).evaluate(() => parent.frames[0].postMessage({ otterkeeper: "load", bytes: new ArrayBuffer(3) }, "*"));
    await inside.evaluate(() => window.postMessage({ otterkeeper: "load", bytes: new ArrayBuffer(3) }, "*"));
    for (const other of [null, "load", { otterkeeper: "play" }, { bytes: [] }]) await page.evaluate((other) => frames[0].postMessage(other, "*"), other);
    await page.waitForTimeout(300);
    assert.deepEqual(await page.evaluate(() => heard), []);
    assert.equal(await inside.getByTestId("notice").count(), 0);
    // A window that was opened does the same.
    const [opened] = await Promise.all([page.waitForEvent("popup"), answer((where) => { child = open(where); }, home())]);
    const said = await answer(([trace, to]) => child.postMessage({ otterkeeper: "load", bytes: new Uint8Array(trace).buffer }, to), [trace, origin]);
    assert.deepEqual(said, { otterkeeper: "loaded", origin });
    await opened.waitForFunction((digest) => window.otterkeeper.digest() === digest, digest);
    await page.close();
    await new Promise((closed) => { site.close(closed); site.closeAllConnections(); });
  });

  test("a lesson is shown within another page: stage and play bar, nothing else", async () => {
    const page = await open(`${home()}#/embed/votes/2`);
    await page.getByTestId("embed").waitFor();
    for (const gone of ["share", "learn", "tab-inspect", "kill", "lesson-step", "invariant-election-safety"]) {
      assert.equal(await page.getByTestId(gone).count(), 0, gone);
    }
    // From one layout to the other and back, in the same tab.
    await page.evaluate(() => { location.hash = "#/learn/cap/7"; });
    await page.getByTestId("lesson-step").waitFor();
    await page.evaluate(() => { location.hash = "#/embed/votes/2"; });
    await page.getByTestId("embed").waitFor();
    await page.getByTestId("play").click();
    assert.match(await page.getByTestId("whole").getAttribute("href"), /#\/learn\/votes\/2$/);
    await page.close();
    // A run goes into another page as its link says, and out of it again.
    const shared = await open(home());
    await ahead(shared, 1_500_000);
    await shared.getByTestId("share").click();
    await shared.waitForFunction(() => location.hash.startsWith("#/run?"));
    const run = await shared.evaluate(() => location.hash);
    const { digest } = await moment(shared);
    await shared.close();
    const inside = await open(`${home()}#/embed${run.slice(1)}`);
    await inside.getByTestId("embed").waitFor();
    await inside.getByTestId("notice").getByText("reproduced").waitFor();
    assert.equal((await moment(inside)).digest, digest);
    assert.equal(await inside.getByTestId("whole").getAttribute("href"), run);
    await inside.close();
    // In an iframe of a foreign page, small.
    const article = await browser().newPage();
    await article.setContent(`<!doctype html><title>an article</title><iframe src="${home()}#/embed/roles" width="480" height="420"></iframe>`);
    const frame = article.frameLocator("iframe");
    await frame.getByTestId("node-1").waitFor();
    const play = frame.getByTestId("play");
    if ((await play.getAttribute("aria-pressed")) === "false") await play.click();
    await frame.locator('[data-testid^="node-"][data-role="leader"]').first().waitFor();
    const box = await play.boundingBox();
    const outer = await article.locator("iframe").boundingBox();
    assert.ok(box.y + box.height <= outer.y + outer.height, "the play bar is in view");
    await article.close();
  });
}
