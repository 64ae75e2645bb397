// Trees that are larger than a screen.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";

import { ahead, command, drawn, moment } from "./tab.mjs";

/** A cluster with a tree of three pages. */
async function grown(page) {
  const creates = Array.from({ length: 240 }, (_, place) => `client-1 create /all/${String(place).padStart(3, "0")} ${noise(place)}`);
  const script = ["nodes 3 seed 1 workload 0", "client-1 at 1", "client-1 create /all 1", ...creates, "event 90000 at 6000000us"].join("\n");
  await page.evaluate((text) => window.otterkeeper.load(new TextEncoder().encode(text)), script);
  await page.waitForFunction(() => window.otterkeeper.now() >= 6_000_000);
  await page.getByTestId("tab-znodes").click();
}

/** Data that no link makes shorter. */
const noise = (place) => `v${place}-` + createHash("sha256").update(String(place)).digest("hex");

export function tree({ open, home }) {
  test("a large tree is shown a page at a time, and paths are found", async () => {
    const page = await open();
    await grown(page);
    const rows = page.locator('[data-testid^="znode:"]');
    const shown = page.getByTestId("znodes-page");
    assert.equal(await rows.count(), 100);
    const all = 240 + 1 + 4;
    assert.equal(await shown.innerText(), `1–100 of ${all}`);
    assert.ok(await page.getByTestId("znodes-before").isDisabled());
    await page.getByTestId("znodes-after").click();
    await page.getByTestId("znodes-after").focus();
    await page.keyboard.press("Enter");
    await drawn(page);
    assert.equal(await shown.innerText(), `201–${all} of ${all}`);
    assert.equal(await rows.count(), all - 200);
    assert.ok(await page.getByTestId("znodes-after").isDisabled());
    await page.getByTestId("znodes-find").fill("/a*/12");
    await drawn(page);
    assert.deepEqual((await rows.allInnerTexts()).map((text) => text.split("\n")[0]),
      Array.from({ length: 10 }, (_, place) => `/all/12${place}`));
    // What is found can be looked at.
    await page.getByTestId("znode:/all/123").click();
    await page.getByText("Stat of /all/123").waitFor();
    await page.getByTestId("znodes-set").fill("another value");
    await page.getByTestId("znodes-set").press("Enter");
    await ahead(page, 1_000_000);
    await page.getByTestId("znode:/all/123").getByText("another value").waitFor();
    await page.getByTestId("znodes-find").fill("/none");
    await page.getByText("No path has that.").waitFor();
    // So much was done that a link would be cut off somewhere: a file says the same.
    const { digest } = await moment(page);
    const [file] = await Promise.all([page.waitForEvent("download"), page.getByTestId("share").click()]);
    await page.getByTestId("notice").getByText("saved as a file").waitFor();
    const other = await open();
    await other.getByTestId("export").click();
    await other.getByTestId("import-file").setInputFiles(await file.path());
    await other.waitForFunction((wanted) => window.otterkeeper.digest() === wanted, digest);
    await other.close();
    await page.getByTestId("znodes-find").fill("");
    await drawn(page);
    assert.equal(await shown.innerText(), `1–100 of ${all}`);
    await page.close();
  });

  test("long names stay within their panels", async () => {
    for (const viewport of [{ width: 1280, height: 860 }, { width: 390, height: 844 }]) {
      const page = await open(`${home()}#/learn/lock/1`);
      await page.setViewportSize(viewport);
      for (let press = 0; press < 5; press += 1) await page.keyboard.press("]");
      await page.getByTestId("lesson-show").click();
      await page.waitForSelector('[data-testid="lesson-step"][data-done="true"]');
      await page.evaluate(() => window.otterkeeper.seek(window.otterkeeper.now()));
      const tabs = viewport.width < 720 ? ["story", "znodes", "clients"] : ["znodes", "clients"];
      for (const tab of tabs) {
        await page.getByTestId(`tab-${tab}`).click();
        await drawn(page);
        const { longest, beyond } = await page.evaluate(() => {
          const parts = [...document.querySelectorAll('[data-testid="story"], [data-testid^="znode:"], [data-testid^="client-"]')];
          const found = { longest: 0, beyond: [] };
          for (const part of parts.filter((one) => one.getClientRects().length > 0)) {
            const texts = document.createTreeWalker(part, NodeFilter.SHOW_TEXT);
            const { right } = part.getBoundingClientRect();
            while (texts.nextNode()) {
              const { textContent, parentElement } = texts.currentNode;
              const range = document.createRange();
              range.selectNodeContents(texts.currentNode);
              found.longest = Math.max(found.longest, ...textContent.split(" ").map((word) => word.length));
              const clipped = getComputedStyle(parentElement).textOverflow === "ellipsis";
              if (!clipped && right + 1 < range.getBoundingClientRect().right) found.beyond.push(textContent);
            }
          }
          return found;
        });
        assert.ok(40 < longest, `${tab} shows such a name: ${longest}`);
        assert.deepEqual(beyond, [], `${tab} at ${viewport.width}`);
      }
      await page.close();
    }
  });

  test("a tree is held while the run goes on, and changes elsewhere are told", async () => {
    const page = await open();
    await grown(page);
    const hold = page.getByTestId("znodes-hold");
    const news = page.getByTestId("news");
    const value = async (text) => {
      await page.getByTestId("znodes-set").fill(text);
      await page.getByTestId("znodes-set").press("Enter");
      await ahead(page, 500_000);
    };
    await page.getByTestId("znodes-find").fill("/all/123");
    await page.getByTestId("znode:/all/123").click();
    await hold.check();
    const { us } = await moment(page);
    assert.equal(await news.innerText(), "");
    await value("second");
    assert.match(await news.innerText(), /^1 znode has changed since: \/all\/123\n/);
    assert.doesNotMatch(await page.getByTestId("znode:/all/123").innerText(), /second/);
    assert.match(await page.locator(".znodes").innerText(), /held at 6\.0\d\d s, applied up to \d+/);
    // Before that moment it is not held, and from there on it is.
    await page.evaluate((us) => window.otterkeeper.seek(us), us - 1_000_000);
    await page.getByText("from there on it is shown again").waitFor();
    assert.equal(await hold.isChecked(), false);
    await page.evaluate((us) => window.otterkeeper.seek(us), us + 400_000);
    await page.getByTestId("znodes-reveal").waitFor();
    assert.equal(await hold.isChecked(), true);
    // What has changed is shown on its page, and nothing is held any more.
    await page.getByTestId("znodes-reveal").click();
    await drawn(page);
    assert.equal(await hold.isChecked(), false);
    assert.match(await page.getByTestId("znodes-page").innerText(), /^101/);
    assert.match(await page.getByTestId("znode:/all/123").innerText(), /second/);
    assert.equal(await news.innerText(), "", "it is on the screen");
    await page.getByTestId("znodes-before").click();
    await value("third");
    assert.match(await news.innerText(), /^1 znode elsewhere changed in the last 2 seconds: \/all\/123\n/);
    await page.getByTestId("znodes-reveal").click();
    await page.getByTestId("znode:/all/123").getByText("third").waitFor();
    await page.getByTestId("znodes-before").click();
    await ahead(page, 3_000_000);
    assert.equal(await news.innerText(), "", "it is long ago");
    await page.close();
  });

  test("a znode is deleted with all below it, when it was said how many that are; and its list says who may what", async () => {
    const page = await open();
    await grown(page);
    await page.getByTestId("znode:/all").click();
    assert.match(await page.getByTestId("acl").innerText(), /world\s+anyone\s+read, write, create, delete, admin/);
    await page.getByTestId("znodes-delete").click();
    await page.getByText("Delete /all and all below it? They are 241 znodes.").waitFor();
    await page.getByTestId("znodes-delete-no").click();
    await page.getByTestId("znodes-delete").click();
    await page.getByTestId("znodes-delete-yes").click();
    await ahead(page, 1_000_000);
    const rows = page.locator('[data-testid^="znode:"]');
    assert.deepEqual((await rows.allInnerTexts()).map((text) => text.split("\n")[0]), ["/", "zookeeper", "config", "quota"]);
    // The same by its word, of one that is not there.
    await command(page, 1, "deleteall /all");
    await ahead(page, 1_000_000);
    assert.match(await page.getByTestId("command-output").innerText(), /^NONODE[^]*delete \/all\n241 results\n.*multi \(241\)/);
    await page.getByTestId("tab-history").click();
    assert.deepEqual(await page.getByTestId("call").evaluateAll((all) => all.slice(0, 2).map((call) => call.dataset.state)), ["failed", "ok"]);
    await page.close();
  });
}
