// What the inspector says of all nodes at once, and of messages that have ended.
import assert from "node:assert/strict";
import { test } from "node:test";

import { ahead, command, drawn, leader, moment } from "./tab.mjs";

const SECOND = 1_000_000;

export function inspect({ settled }) {
  test("what changes flashes, and a panel that has just come does not", async () => {
    const page = await settled();
    await command(page, 1, "create /warm 1");
    await ahead(page, 0.3 * SECOND);
    // Every flash that begins, looked at when it is at its start: did it, and is any of it seen?
    await page.evaluate(() => {
      window.flashes = { "znode:/warm": [] };
      document.addEventListener("animationstart", ({ target, animationName }) => {
        if (animationName !== "flash") return;
        for (const animation of target.getAnimations()) animation.currentTime = 0;
        const { backgroundColor } = getComputedStyle(target);
        (window.flashes[target.dataset.testid] ??= []).push(!/[/] 0[)]$|, 0[)]$/.test(backgroundColor));
      });
    });
    const flashes = (seen) => page.waitForFunction((seen) => window.flashes["znode:/warm"].includes(seen), seen);
    await page.getByTestId("tab-znodes").click();
    const warm = page.getByTestId("znode:/warm");
    await flashes(false);
    await page.waitForFunction(() => getComputedStyle(document.querySelector(".right")).getPropertyValue("--seen") === "1");
    await warm.click();
    await page.getByTestId("znodes-set").fill("3");
    await page.getByTestId("znodes-set").press("Enter");
    await ahead(page, 0.3 * SECOND);
    await warm.getByText("3").waitFor();
    await flashes(true);
    assert.deepEqual(await page.evaluate(() => window.flashes["znode:/warm"]), [false, true]);
    // While a run is fast everything changes, and nothing flashes; when it stands still again, not all of it does at once.
    const motion = (what) => page.locator(what).first().evaluate((element) => getComputedStyle(element).animationName);
    await page.evaluate(() => document.activeElement.blur());
    for (let press = 0; press < 4; press += 1) await page.keyboard.press("]");
    await page.evaluate(() => document.querySelector('[data-testid="play"][aria-pressed="false"]')?.click());
    await page.locator(".work[data-fast]").waitFor();
    assert.equal(await motion(".fresh"), "none");
    await page.getByTestId("play").click();
    await page.locator(".work:not([data-fast])").waitFor();
    assert.equal(await motion(".fresh"), "flash");
    assert.equal(await motion(".right"), "unseen");
    await page.close();
  });

  test("all nodes stand side by side, by values that are chosen, and one of them is on the stage", async () => {
    const page = await settled();
    const { id } = await leader(page);
    const lonely = (id % 5) + 1;
    const row = (key) => page.getByTestId(`value-of-${key}`);
    const lag = row("value-lag");
    assert.equal(await lag.getAttribute("data-differs"), "false");
    assert.match(await row("value-role").innerText(), /leader/);
    // All five are in sight, also in the first election, whose roles have the longest names.
    const { us } = await moment(page);
    for (const language of ["ko", "en"]) {
      await page.getByTestId(`lang-${language}`).click();
      for (const at of [0.245 * SECOND, us]) {
        await page.evaluate((us) => window.otterkeeper.seek(us), at);
        await drawn(page);
        const last = await page.getByTestId("column-5").boundingBox();
        assert.ok(last.x + last.width <= 1280 - 8, `${language} at ${at}: ${last.x + last.width}`);
      }
    }
    await page.getByTestId(`column-${lonely}`).click();
    await page.getByTestId("isolate").click();
    await page.keyboard.press("Escape");
    await command(page, id, "create /ahead 1");
    await ahead(page, 0.3 * SECOND);
    await page.getByTestId("tab-inspect").click();
    // The session and the write: two entries.
    assert.equal(await lag.getAttribute("data-differs"), "true");
    const cells = await lag.locator("td").allInnerTexts();
    assert.deepEqual(cells, [1, 2, 3, 4, 5].map((node) => (node === lonely ? "2" : "0")));
    // Rows come and go.
    assert.equal(await row("peer-matched").count(), 0);
    await page.getByText("Choose the rows").click();
    await page.getByTestId("row-peer-matched").check();
    await page.getByTestId("row-value-lag").uncheck();
    await drawn(page);
    assert.equal((await row("peer-matched").locator("td").allInnerTexts())[id - 1], "\u2013", "a leader does not follow itself");
    assert.equal(await lag.count(), 0);
    // One value is on the stage, below each node and in its name.
    await page.getByTestId("stage-value").selectOption({ label: "not applied" });
    await drawn(page);
    assert.match(await page.getByTestId(`node-${lonely}`).getAttribute("aria-label"), /, not applied 2$/);
    await page.locator("#stage").getByText("not applied 2").waitFor();
    await page.getByTestId("stage-value").selectOption({ index: 0 });
    await drawn(page);
    assert.equal(await page.locator("#stage").getByText("not applied").count(), 0);
    await page.close();
  });

  test("a message that has arrived keeps its fields, and the way to where it was under way", async () => {
    const page = await settled();
    const { id } = await leader(page);
    await command(page, id, "stat /");
    await ahead(page, SECOND);
    await command(page, id, "create /kept 1");
    await ahead(page, 0.1 * SECOND);
    await page.locator("body").click({ position: { x: 1, y: 1 } });
    await page.keyboard.press("v");
    await page.getByTestId("lens").check();
    await page.getByTestId("diagram-find").fill("entries");
    await drawn(page);
    const { us, digest } = await moment(page);
    await page.getByTestId("ways").locator("tbody tr").last().locator("button").click();
    await drawn(page);
    const said = () => page.locator(".inspect").innerText();
    assert.match(await said(), /entries[^]*sent[^]*arrived[^]*term[^]*\/kept/);
    assert.deepEqual(await moment(page), { ...(await moment(page)), us, digest }, "nothing moves for that");
    assert.equal(await page.getByTestId("drop").count(), 0, "nothing can be done with it any more");
    await page.getByTestId("relive").click();
    await page.getByTestId("drop").waitFor();
    assert.ok((await moment(page)).us < us);
    assert.match(await said(), /entries[^]*sent[^]*arrives[^]*term[^]*\/kept/);
    // It arrives while it is looked at, and is still what it was.
    await ahead(page, 0.1 * SECOND);
    assert.match(await said(), /entries[^]*sent[^]*arrived[^]*term[^]*\/kept/);
    await page.close();
  });

  test("clients without room are counted, on the stage and in the diagram", async () => {
    const page = await settled();
    const { id } = await leader(page);
    const script = Array.from({ length: 15 }, (_, place) => `client-${place + 1} at ${id}`);
    for (const line of script) await command(page, id, line);
    await ahead(page, 0.1 * SECOND);
    assert.equal(await page.getByTestId("more-clients").getAttribute("aria-label"), "3 more clients: they are listed under Clients");
    await page.keyboard.press("Escape");
    await page.locator("body").click({ position: { x: 1, y: 1 } });
    await page.keyboard.press("v");
    await drawn(page);
    const without = page.getByTestId("diagram-without");
    assert.match(await without.innerText(), /^\d+ more clients: drag the upper edge up/);
    // A higher diagram has room for all.
    await page.getByTestId("grip").focus();
    for (let press = 0; press < 6; press += 1) await page.keyboard.press("ArrowUp");
    await drawn(page);
    assert.equal(await without.textContent(), "");
    await page.close();
  });
}
