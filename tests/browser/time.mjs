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
