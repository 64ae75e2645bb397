// Damage of every kind, by its button, its words on the command line, or both.
import assert from "node:assert/strict";
import { test } from "node:test";

import { ahead, allHold, command, drawn, leader } from "./tab.mjs";

const SECOND = 1_000_000;

export function faults({ settled }) {
  const told = (page, text) => page.getByTestId("story").getByText(text).first().waitFor();

  test("a node's disk, clock and membership can be spoiled by button", async () => {
    const page = await settled();
    const { id } = await leader(page);
    const one = (id % 5) + 1;
    await page.getByTestId(`node-${one}`).click();
    for (const [fault, says] of [
      ["fault-disk-slow", `the disk of node ${one} slow`],
      ["fault-disk-usual", `the disk of node ${one} slow`],
      ["fault-clock-fast", `The clock of node ${one} goes at 104 %`],
      ["fault-clock-slow", `The clock of node ${one} goes at 96 %`],
      ["fault-clock-true", `The clock of node ${one} goes at 100 %`],
      ["fault-clock-jump", `The clock of node ${one} jumps forward by 1000 ms`],
      ["fault-copy", `Node ${one}'s disk is copied`],
      ["fault-put-back", `Node ${one} comes back on the old copy`],
      ["fault-tail", `You killed node ${one}`],
    ]) {
      await page.getByTestId(fault).click();
      await told(page, says);
    }
    await page.getByTestId("restart").click();
    await ahead(page, 2 * SECOND);
    await page.getByTestId("fault-remove").click();
    await ahead(page, 3 * SECOND);
    // The leader goes by the members without it now, and takes it back.
    await page.getByTestId("fault-add").click();
    await ahead(page, 3 * SECOND);
    await page.getByTestId("fault-remove").waitFor();
    await allHold(page);
    await page.close();
  });

  test("each direction of a link loses, delays, repeats, mixes up or holds back what it carries", async () => {
    const page = await settled();
    await page.getByTestId("link-1-2").locator(".hit").click({ force: true });
    const said = async (text) => page.locator(".inspect").getByText(text, { exact: true }).first().waitFor();
    for (const [fault, shows] of [
      ["fault-lossy", "30 %"], ["fault-late", "60–180 ms"], ["fault-twice", "30 %"], ["fault-shuffled", "30 %"],
      ["fault-clog", "holds back"], ["fault-unclog", "up"], ["fault-usual", "5–15 ms"],
    ]) {
      await page.getByTestId(fault).click();
      await said(shows);
    }
    await told(page, /You set the delay to 60–180 ms. Only from 1 to 2./);
    assert.equal(await page.locator(".inspect").getByText("30 %", { exact: true }).count(), 0);
    await allHold(page);
    await page.close();
  });

  test("partitions have names: a ring, a bridge, a leader that hears nobody", async () => {
    const page = await settled();
    const { id } = await leader(page);
    const cuts = async () => {
      await drawn(page);
      return page.locator('[data-testid^="link-"][data-state="cut"]').evaluateAll((all) =>
        all.map((link) => link.dataset.testid.slice(5)).sort());
    };
    for (const [preset, count, cut, open] of [
      ["preset-ring", 10, "1-3", "5-1"], ["preset-bridge", 8, "1-4", "3-5"], ["preset-deaf", 4, `${(id % 5) + 1}-${id}`, `${id}-${(id % 5) + 1}`],
    ]) {
      await page.getByTestId(preset).click();
      const found = await cuts();
      assert.equal(found.length, count, preset);
      assert.ok(found.includes(cut) && !found.includes(open), preset);
      await page.getByTestId("heal").click();
      assert.deepEqual(await cuts(), []);
    }
    await allHold(page);
    await page.close();
  });

  test("messages are delivered by hand, in any order", async () => {
    const page = await settled();
    const { id } = await leader(page);
    await page.getByTestId("preset-hold").click();
    await told(page, "You let 20 directions hold back what they carry.");
    await command(page, id, "create /by-hand 1");
    await ahead(page, 0.04 * SECOND);
    const applied = async () => Number(await page.getByTestId(`node-${id}`).getAttribute("data-applied"));
    const before = await applied();
    const waiting = page.locator('#messages g[data-flight]:not(.gone)');
    assert.ok((await waiting.count()) > 0);
    // Each is delivered when the visitor says so, answers included, until the write is in.
    for (let turn = 0; turn < 200 && (await applied()) === before; turn += 1) {
      await page.keyboard.press("Escape");
      await page.evaluate(() => document.activeElement?.blur());
      await page.keyboard.press("j");
      await page.keyboard.press("n");
      await ahead(page, 4_000);
    }
    assert.ok(before < (await applied()), "it was applied");
    await page.getByTestId("heal").click();
    await ahead(page, SECOND);
    await allHold(page);
    await page.close();
  });

  test("recipes and all other words of scenarios are understood by the command line", async () => {
    const page = await settled();
    const { id } = await leader(page);
    await command(page, id, "lock /lock");
    await ahead(page, SECOND);
    await page.getByTestId("client-a").getByText("/lock").waitFor();
    await told(page, "Client a holds the lock /lock");
    await page.getByRole("button", { name: "put /queue job" }).click();
    await ahead(page, SECOND);
    await told(page, "The queue /queue holds what client a has put");
    await command(page, id, `clock-rate ${id} 1040`);
    await told(page, `The clock of node ${id} goes at 104 %`);
    await command(page, id, "kill 99");
    assert.match(await page.getByTestId("command-output").innerText(), /"kill" is no command here/);
    await command(page, id, "help");
    assert.match(await page.getByTestId("command-output").innerText(), /all else that scenarios say/);
    await allHold(page);
    await page.close();
  });
}
