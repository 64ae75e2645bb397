// Through time by other ways than the play bar: until something happens, and along the space-time diagram.
import assert from "node:assert/strict";
import { test } from "node:test";

import { drawn, moment } from "./tab.mjs";

export function time({ settled }) {
  test("a run goes on until a message of a kind leaves", async () => {
    const page = await settled();
    await page.getByTestId("tab-runs").click();
    const before = await moment(page);
    for (const [kind, name] of [["kind-heartbeat-reply", "heartbeat answer"], ["kind-append", "entries"]]) {
      await page.getByTestId("until").selectOption(kind);
      if (kind === "kind-append") {
        // Nobody sends entries while nobody writes: the limit is reached, and said.
        await page.getByTestId("run-until").click();
        await page.getByTestId("notice").waitFor();
        await page.keyboard.press("Escape");
        await page.keyboard.press("r");
      }
      await page.getByTestId("run-until").click();
      await drawn(page);
      // It is under way, and selected.
      assert.match(await page.getByTestId("chosen").innerText(), new RegExp(`^${name} from node . to node .`, "i"));
      await page.getByTestId("tab-runs").click();
    }
    assert.ok(before.us < (await moment(page)).us);
    // The same by the hook.
    assert.equal(await page.evaluate(() => window.otterkeeper.runUntil("kind-heartbeat")), true);
    assert.equal(await page.evaluate(() => window.otterkeeper.runUntil("nonsense")), false);
    await page.close();
  });

  test("the space-time diagram moves through time by drag, wheel and keys", async () => {
    const page = await settled();
    await page.keyboard.press("v");
    const lanes = page.getByTestId("lanes");
    await lanes.waitFor();
    const from = async () => {
      await drawn(page);
      return Number(await lanes.getAttribute("data-from"));
    };
    const { us } = await moment(page);
    const present = await from();
    assert.equal(await page.getByTestId("diagram-now").count(), 0);
    const area = await lanes.boundingBox();
    const middle = { x: area.x + area.width / 2, y: area.y + area.height / 2 };
    await page.mouse.move(middle.x, middle.y);
    await page.mouse.down();
    await page.mouse.move(middle.x + 200, middle.y, { steps: 5 });
    await page.mouse.up();
    const dragged = await from();
    assert.ok(dragged < present, `${dragged} ${present}`);
    assert.equal((await moment(page)).us, us, "a drag is no click");
    await page.mouse.wheel(0, -400);
    const wheeled = await from();
    assert.ok(wheeled < dragged, `${wheeled} ${dragged}`);
    await lanes.focus();
    await page.keyboard.press("ArrowLeft");
    assert.ok((await from()) < wheeled);
    await page.keyboard.press("ArrowRight");
    assert.equal(await from(), wheeled);
    await page.keyboard.press("Home");
    assert.equal(await from(), 0);
    assert.ok((await page.getByTestId("ways").locator("tbody tr").count()) > 0, "the table goes along");
    await page.keyboard.press("End");
    assert.equal(await from(), present);
    await page.keyboard.press("ArrowLeft");
    assert.notEqual(await from(), present);
    await page.getByTestId("diagram-now").click();
    assert.equal(await from(), present);
    assert.equal((await moment(page)).us, us);
    await page.close();
  });

  test("courses are a tree in time, whose lanes lead to them by pointer and by keyboard", async () => {
    const page = await settled();
    const begun = await moment(page);
    await page.getByTestId("tab-runs").click();
    assert.equal(await page.getByTestId("courses").count(), 0, "one course is no tree");
    // Two more courses: one leaves the first at once, and another one leaves that.
    const cut = async (us) => {
      await page.evaluate((us) => window.otterkeeper.seek(us), us);
      await page.getByTestId("node-1").click();
      await page.getByTestId("isolate").click();
    };
    await page.evaluate((us) => window.otterkeeper.seek(us), begun.us + 3_000_000);
    await cut(begun.us);
    await page.evaluate((us) => window.otterkeeper.seek(us), begun.us + 2_000_000);
    await cut(begun.us + 1_000_000);
    await page.getByTestId("tab-runs").click();
    const lanes = page.locator('[data-testid^="lane-"]');
    assert.equal(await lanes.count(), 3);
    const names = await lanes.evaluateAll((all) => all.map((one) => one.getAttribute("aria-label")));
    const at = (us) => (Math.floor(us / 1_000) / 1_000).toFixed(3);
    assert.match(names[1], new RegExp(`leaves course 1 at ${at(begun.us)}`));
    assert.match(names[2], new RegExp(`leaves course 2 at ${at(begun.us + 1_000_000)}`));
    const present = () => lanes.evaluateAll((all) => all.filter((one) => one.getAttribute("aria-pressed") === "true").map((one) => one.dataset.testid).join());
    assert.equal(await present(), "lane-3");
    // In the middle of its time the first course is meant at that moment.
    const { us } = await moment(page);
    const picture = await page.getByTestId("courses").boundingBox();
    const first = await page.getByTestId("lane-1").boundingBox();
    await page.mouse.click(picture.x + picture.width / 2, first.y + first.height / 2);
    await drawn(page);
    assert.equal(await present(), "lane-1");
    const there = await moment(page);
    const part = (312 / 2 - 28) / (304 - 28);
    assert.ok(Math.abs(there.us - part * (begun.us + 3_000_000)) < 50_000, `${there.us}`);
    assert.notEqual(there.us, us);
    // By its number it is the course that is meant, and time stays.
    const last = await page.getByTestId("lane-2").boundingBox();
    await page.mouse.click(picture.x + 12, last.y + last.height / 2);
    await drawn(page);
    assert.equal(await present(), "lane-2");
    assert.equal((await moment(page)).us, Math.min(there.us, begun.us + 2_000_000));
    // One stop of the Tab key, arrows from there.
    assert.equal(await lanes.locator('xpath=self::*[@tabindex="0"]').count(), 1);
    await page.getByTestId("lane-2").focus();
    const focused = () => page.evaluate(() => document.activeElement.dataset.testid);
    await page.keyboard.press("ArrowDown");
    assert.equal(await focused(), "lane-3");
    await page.keyboard.press("Enter");
    await drawn(page);
    assert.equal(await present(), "lane-3");
    assert.equal(await focused(), "lane-3");
    await page.keyboard.press("Home");
    assert.equal(await focused(), "lane-1");
    await page.keyboard.press(" ");
    await drawn(page);
    assert.equal(await present(), "lane-1");
    // The middle one goes, and the third has left the first.
    await page.getByTestId("delete-2").click();
    await drawn(page);
    assert.equal(await lanes.count(), 2);
    assert.match(await page.getByTestId("lane-3").getAttribute("aria-label"), new RegExp(`leaves course 1 at ${at(begun.us)}`));
    await page.close();
  });

  test("tabs are gone through by arrow keys, and are one stop of the Tab key", async () => {
    const page = await settled();
    const tabs = page.getByRole("tablist");
    const stops = () => tabs.locator('[role="tab"][tabindex="0"]').count();
    const chosen = () => tabs.locator('[role="tab"][aria-selected="true"]').getAttribute("data-testid");
    const focused = () => page.evaluate(() => document.activeElement.dataset.testid);
    await page.getByTestId("tab-inspect").click();
    for (const [key, tab] of [
      ["ArrowRight", "tab-znodes"], ["ArrowRight", "tab-clients"], ["ArrowLeft", "tab-znodes"],
      ["Home", "tab-inspect"], ["ArrowLeft", "tab-runs"], ["ArrowRight", "tab-inspect"], ["End", "tab-runs"],
    ]) {
      await page.keyboard.press(key);
      await page.waitForFunction((tab) => document.activeElement.dataset.testid === tab, tab);
      assert.equal(await chosen(), tab);
      assert.equal(await stops(), 1);
    }
    assert.equal(await focused(), "tab-runs");
    await page.keyboard.press("Tab");
    assert.doesNotMatch((await focused()) ?? "", /^tab-/);
    await page.close();
  });
}
