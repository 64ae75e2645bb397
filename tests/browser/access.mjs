// For those who do not see the page, or do not point at it: axe finds nothing serious in any panel, and
// lessons are learned from the keyboard alone.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { ahead, allHold, command, drawn, leader } from "./tab.mjs";

const SECOND = 1_000_000;
const axe = readFileSync(join(process.env.OTTERKEEPER_AXE, "axe.min.js"), "utf8");

/** What axe finds serious or critical in the page as it is. */
async function barriers(page, where) {
  const found = await page.evaluate(async () => {
    const { violations } = await window.axe.run(document, { resultTypes: ["violations"] });
    return violations
      .filter(({ impact }) => ["serious", "critical"].includes(impact))
      .map(({ id, nodes }) => `${id}: ${nodes.slice(0, 4).map(({ html, any }) => `${html.slice(0, 160)} ${any[0]?.message ?? ""}`).join(" | ")}`);
  });
  return found.map((text) => `${where}: ${text}`);
}

export function access({ open, home, browser }) {
  for (const [width, height] of [[1280, 860], [390, 844]]) {
    for (const colorScheme of ["light", "dark"]) {
      for (const locale of ["en-GB", "ko-KR"]) {
        test(`axe finds nothing serious at ${width} px, ${colorScheme}, ${locale}`, async () => {
          const context = await browser().newContext({ viewport: { width, height }, colorScheme, locale, reducedMotion: "reduce" });
          const page = await open(home(), context);
          await page.evaluate(axe);
          const found = [];
          await ahead(page, SECOND);
          const { id } = await leader(page);
          await command(page, id, "create /app 1");
          await ahead(page, SECOND);
          await command(page, id, "get -w /none");
          await ahead(page, SECOND);
          await page.getByTestId(`node-${(id % 5) + 1}`).focus();
          await page.keyboard.press("Enter");
          await page.keyboard.press("k");
          await ahead(page, SECOND);
          const tabs = await page.locator('[role="tab"]:visible').evaluateAll((all) => all.map((tab) => tab.dataset.testid));
          for (const tab of tabs) {
            await page.getByTestId(tab).click();
            if (tab === "tab-runs") await page.keyboard.press("b");
            await drawn(page);
            found.push(...(await barriers(page, tab)));
            if (tab !== "tab-runs") continue;
            // In the past, so that there are two courses.
            await page.keyboard.press(",");
            await page.keyboard.press("k");
            await page.getByTestId("courses").waitFor();
            await drawn(page);
            found.push(...(await barriers(page, "courses")));
          }
          await page.keyboard.press("v");
          await drawn(page);
          found.push(...(await barriers(page, "diagram")));
          await page.keyboard.press("v");
          await page.keyboard.press("?");
          await page.getByTestId("help-dialog").waitFor();
          found.push(...(await barriers(page, "help")));
          await page.keyboard.press("Escape");
          await page.getByTestId("learn").click();
          await drawn(page);
          found.push(...(await barriers(page, "lessons")));
          await page.evaluate(() => { location.hash = "#/learn/cap/7"; });
          await page.getByTestId("lesson-step").waitFor();
          found.push(...(await barriers(page, "lesson")));
          await page.evaluate(() => { location.hash = "#/embed/roles"; });
          await page.getByTestId("embed").waitFor();
          found.push(...(await barriers(page, "embed")));
          await context.close();
          assert.deepEqual(found, []);
        });
      }
    }
  }

  test("the fifth lesson is learned from the keyboard alone", async () => {
    const page = await open(`${home()}#/learn/old-leader/1`);
    for (let press = 0; press < 4; press += 1) await page.keyboard.press("]");
    const done = () => page.waitForSelector('[data-testid="lesson-step"][data-done="true"]');
    /** With the Tab key to what has this name, as somebody would who sees nothing. */
    const tab = async (id) => {
      for (let press = 0; press < 300; press += 1) {
        if (await page.evaluate((id) => document.activeElement?.dataset.testid === id, id)) return;
        await page.keyboard.press("Tab");
      }
      throw new Error(`the Tab key does not come to ${id}`);
    };
    const next = async (step) => {
      await tab("lesson-next");
      await page.keyboard.press("Enter");
      await page.waitForSelector(`[data-testid="lesson-step"][data-step="${step}"]`);
    };
    await page.keyboard.press("1");
    await page.keyboard.press("i");
    await page.keyboard.press("r");
    await page.keyboard.press("r");
    await done();
    await next("two-crowns");
    await done();
    await next("told");
    await done();
    await next("heal");
    await page.keyboard.press("h");
    await done();
    await next("look");
    // A client speaks when its session is attached again.
    await page.waitForSelector('[data-testid^="node-"][data-role="leader"]');
    await page.keyboard.press("/");
    await page.waitForFunction(() => document.activeElement?.id === "command");
    await page.keyboard.type("get /lost-1\n");
    await done();
    await page.keyboard.press("Escape");
    await next("fail-back");
    await page.keyboard.press("1");
    // The clients' panel stays where it is; everything about the node is in another one.
    await tab("tab-clients");
    await page.keyboard.press("Home");
    await page.waitForFunction(() => document.activeElement.dataset.testid === "tab-inspect");
    await tab("hand-over");
    await page.keyboard.press("Enter");
    await done();
    await allHold(page);
    await page.close();
  });
}
