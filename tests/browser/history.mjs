// What clients were told, and the space-time diagram of how it came to that.
import assert from "node:assert/strict";
import { test } from "node:test";

import { ahead, allHold, command, drawn, leader, moment } from "./tab.mjs";

const SECOND = 1_000_000;

export function history({ open, settled, home }) {
  test("an old answer to a plain read is allowed, and its age is told", async () => {
    const page = await settled();
    const { id } = await leader(page);
    const lonely = (id % 5) + 1;
    await command(page, id, "create /age 1");
    await command(page, lonely, "stat /");
    await ahead(page, SECOND);
    await page.getByTestId(`node-${lonely}`).click();
    await page.getByTestId("isolate").click();
    await command(page, id, "set /age 2");
    await ahead(page, 0.2 * SECOND);
    await command(page, lonely, "get /age");
    await ahead(page, 0.05 * SECOND);
    await page.getByTestId("tab-history").click();
    const behind = page.getByTestId("behind");
    assert.equal(await behind.getAttribute("data-n"), "1");
    assert.match(await behind.innerText(), /1 of 2 plain reads .* up to 1\d\d ms behind/);
    assert.match(await page.getByTestId("call").first().innerText(), /Allowed: 1\d\d ms behind "set \/age 2" of/);
    assert.equal(await page.getByTestId("order").getAttribute("data-state"), "ok");
    // Each of the two writes has its place in the order, in its bar and in words.
    assert.equal(await page.getByTestId("point").count(), 2);
    assert.match(await page.getByTestId("call").filter({ hasText: "set /age 2" }).last().innerText(), /Number \d+ in the one order, committed at \d/);
    assert.match(await page.getByTestId("pace").innerText(), /Half of the answers came within [\d.]+ ms, all within [\d.]+ ms/);
    // The fault stands behind the bars, by name.
    assert.match(await page.getByTestId("history").innerHTML(), new RegExp(`node ${lonely} isolated`));
    await allHold(page);
    await page.close();
  });

  test("the client of a deposed leader is told that nobody knows, and never ok", async () => {
    const page = await settled();
    const { id } = await leader(page);
    await command(page, id, "create /kept 1");
    await ahead(page, SECOND);
    await page.getByTestId(`node-${id}`).click();
    await page.getByTestId("isolate").click();
    await command(page, id, "create /unsaved 1");
    await ahead(page, 8 * SECOND);
    await page.getByTestId("tab-history").click();
    const call = page.getByTestId("call").filter({ hasText: "create /unsaved 1" });
    assert.equal(await call.getAttribute("data-state"), "unknown");
    const said = await call.innerText();
    assert.match(said, /nobody knows/);
    assert.match(said, new RegExp(`Node ${id} stops leading`));
    assert.match(said, /may have been done, or not/);
    // A click leads to the moment at which it was told that.
    const now = (await moment(page)).us;
    await call.locator("button").click();
    assert.ok((await moment(page)).us < now);
    await allHold(page);
    await page.close();
  });

  test("a client that asks again is told the one true answer, and its change is made once", async () => {
    const page = await settled();
    const { id } = await leader(page);
    await command(page, id, "create /jobs 1");
    await page.getByTestId("repeat").check();
    await command(page, id, "create /jobs/first 1");
    await page.getByTestId("client-b").getByText("asks again").waitFor();
    await ahead(page, SECOND);
    await page.getByTestId(`node-${id}`).click();
    await page.getByTestId("isolate").click();
    await command(page, id, "create -s /jobs/once- 1");
    await page.getByTestId("repeat").uncheck();
    await command(page, id, "create -s /jobs/never- 1");
    await ahead(page, 8 * SECOND);
    await page.getByTestId("tab-history").click();
    const call = (text) => page.getByTestId("call").filter({ hasText: text });
    assert.equal(await call("never-").getAttribute("data-state"), "unknown");
    assert.equal(await call("once-").getAttribute("data-state"), "ok");
    assert.match(await call("once-").innerText(), /\/jobs\/once-\d{10}/);
    assert.match(await page.getByTestId("story").innerText(), /Client b asks again, by the same number: create -s \/jobs\/once-/);
    await page.getByTestId("heal").click();
    await ahead(page, 3 * SECOND);
    await page.getByTestId("tab-znodes").click();
    for (let node = 1; node <= 5; node += 1) {
      await page.getByTestId(`at-${node}`).click();
      assert.equal(await page.locator('[data-testid^="znode:/jobs/once-"]').count(), 1, `node ${node}`);
      assert.equal(await page.locator('[data-testid^="znode:/jobs/never-"]').count(), 0, `node ${node}`);
    }
    await allHold(page);
    await page.close();
  });

  test("calls are hidden by client and by kind, and counted", async () => {
    const page = await settled();
    const { id } = await leader(page);
    await command(page, id, "create /group 1");
    await ahead(page, SECOND);
    await command(page, id, "delete /none");
    await ahead(page, SECOND);
    await command(page, (id % 5) + 1, "get /group");
    await ahead(page, SECOND);
    await page.getByTestId("tab-history").click();
    const calls = page.getByTestId("call");
    const bars = page.locator('[data-testid="history"] g > rect.bar');
    const shown = page.getByTestId("history-shown");
    const said = await page.getByTestId("order").innerText();
    const counts = async () => [await calls.count(), await bars.count()];
    assert.deepEqual(await counts(), [3, 3]);
    assert.equal(await shown.count(), 0);
    assert.match(await page.getByTestId("history-writes").innerText(), /writes\s*1$/);
    assert.match(await page.getByTestId("caller-1").innerText(), /^a\s*2$/);
    // Dots by kind say how long each took, as the list does.
    const dots = async (kind) => (await page.getByTestId(`dots-history-${kind}`).getAttribute("d")).split("M").length - 1;
    assert.deepEqual([await dots("reads"), await dots("writes"), await dots("failed")], [1, 1, 1]);
    for (const call of await calls.allInnerTexts()) assert.match(call, /\d s \+ [\d.]+ ms/);
    await page.getByTestId("history-writes").click();
    assert.equal(await page.getByTestId("dots-history-writes").count(), 0);
    assert.deepEqual(await counts(), [2, 2]);
    assert.equal(await page.getByTestId("history-writes").getAttribute("aria-pressed"), "false");
    assert.match(await shown.innerText(), /^2 of 3 calls are shown/);
    await page.getByTestId("caller-2").focus();
    await page.keyboard.press("Enter");
    await drawn(page);
    assert.deepEqual(await counts(), [1, 1]);
    assert.match(await calls.innerText(), /delete \/none/);
    await page.getByTestId("history-failed").click();
    assert.deepEqual(await counts(), [0, 0]);
    assert.match(await shown.innerText(), /^0 of 3 calls are shown/);
    // Whatever is hidden, all of it is judged.
    assert.equal(await page.getByTestId("order").innerText(), said);
    for (const hidden of ["history-writes", "history-failed", "caller-2"]) await page.getByTestId(hidden).click();
    assert.deepEqual(await counts(), [3, 3]);
    await page.close();
  });

  test("an answer that fits nowhere is found, and the strip leads to it", async () => {
    const page = await open(`${home()}#/rule/deposed-reads`);
    for (let press = 0; press < 5; press += 1) await page.keyboard.press("]");
    await page.getByTestId("lesson-show").click();
    await page.getByTestId("fell").waitFor();
    const strip = page.locator('[data-testid="invariant-linearizable"][data-state="broken"]');
    await strip.waitFor();
    await page.getByTestId("tab-history").click();
    assert.equal(await page.getByTestId("order").getAttribute("data-state"), "broken");
    const why = await page.getByTestId("order").innerText();
    assert.match(why, /Client A asked "get \/x", and the answer fits nowhere among the others. What it could meet: \/x is "new", version 1\./);
    await page.getByTestId("lang-ko").click();
    assert.match(await page.getByTestId("order").innerText(), /"get \/x"[^a-z]*\/x\S* "new", \S+ 1\./);
    await page.getByTestId("lang-en").click();
    await page.locator('[data-testid="call"][data-state="misfit"]').getByText("fits nowhere").waitFor();
    const { us } = await moment(page);
    await strip.click();
    const answered = (await moment(page)).us;
    assert.ok(answered <= us);
    // Before the answer nothing is broken yet.
    await page.evaluate((us) => window.otterkeeper.seek(us), answered - 1);
    await page.waitForSelector('[data-testid="invariant-linearizable"][data-state="ok"]');
    await page.close();
  });

  test("a promise says what it means", async () => {
    const page = await settled();
    await page.getByTestId("invariant-log-matching").click();
    await page.getByTestId("notice").getByText("same index and term are equal up to it").waitFor();
    await page.keyboard.press("Escape");
    await page.getByTestId("notice").waitFor({ state: "detached" });
    await page.close();
  });

  test("the space-time diagram draws every message, says it in a table, and leads to it", async () => {
    const page = await settled();
    await page.keyboard.press("v");
    await page.getByTestId("spacetime").waitFor();
    await drawn(page);
    const painted = await page.locator("#spacetime").evaluate((canvas) => {
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      return data.filter((value, place) => place % 4 === 3 && value > 0).length;
    });
    assert.ok(painted > 1_000, `${painted} pixels`);
    const rows = page.getByTestId("ways").locator("tbody tr");
    assert.ok((await rows.count()) > 10);
    // From the table to the message.
    const { us } = await moment(page);
    await rows.last().locator("button").click();
    assert.ok((await moment(page)).us < us);
    assert.match(await page.getByTestId("chosen").innerText(), /from .* to /);
    // From the picture to the message: some line passes one of these places.
    await page.keyboard.press("Escape");
    await page.getByTestId("newest").click();
    const area = await page.locator("#spacetime").boundingBox();
    let found = "";
    for (let part = 0.3; part < 0.8 && found === ""; part += 0.02) {
      await page.getByTestId("newest").click();
      await page.locator("#spacetime").click({ position: { x: area.width * part, y: area.height * 0.3 } });
      found = await page.getByTestId("chosen").innerText();
    }
    assert.match(found, /from .* to /);
    // Heartbeats can be hidden here too, and the edge is dragged by pointer and by key.
    const grip = await page.getByTestId("grip").boundingBox();
    await page.mouse.move(grip.x + grip.width / 2, grip.y + 4);
    await page.mouse.down();
    await page.mouse.move(grip.x + grip.width / 2, grip.y - 76, { steps: 4 });
    await page.mouse.up();
    await drawn(page);
    const tall = async () => (await page.getByTestId("spacetime").boundingBox()).height;
    const dragged = await tall();
    assert.ok(280 < dragged, `${dragged} px`);
    await page.getByTestId("grip").focus();
    await page.keyboard.press("ArrowUp");
    await drawn(page);
    assert.ok(dragged < (await tall()));
    await page.keyboard.press("v");
    await page.getByTestId("spacetime").waitFor({ state: "detached" });
    await page.close();
  });

  test("nine nodes, their logs and the diagram leave room for the stage", async () => {
    const page = await open();
    for (let nodes = 6; nodes <= 9; nodes += 1) {
      await page.getByTestId("nodes-more").first().click();
      await page.getByTestId(`node-${nodes}`).waitFor();
    }
    await leader(page);
    await ahead(page, SECOND);
    await page.keyboard.press("v");
    await page.getByTestId("spacetime").waitFor();
    await drawn(page);
    const names = [1, 2, 3, 4, 5, 6, 7, 8, 9].map((id) => `node-${id}`);
    const boxes = await Promise.all(names.map((name) => page.getByTestId(name).boundingBox()));
    const tools = await page.getByTestId("kill").boundingBox();
    for (const [place, box] of boxes.entries()) {
      assert.ok(32 < box.width && box.y + box.height <= tools.y, `${names[place]}: ${JSON.stringify(box)}`);
    }
    await page.close();
  });

  test("causes and effects of a message are shown alone, in the diagram, its table and the story", async () => {
    const page = await settled();
    const { id } = await leader(page);
    await command(page, id, "create /cause 1");
    await ahead(page, 0.1 * SECOND);
    await page.locator("body").click({ position: { x: 1, y: 1 } });
    await page.keyboard.press("v");
    const rows = page.getByTestId("ways").locator("tbody tr");
    const all = await rows.count();
    // The first message that carried the write.
    await page.getByTestId("lens").check();
    const { us } = await moment(page);
    await page.getByTestId("diagram-find").fill("entries");
    await drawn(page);
    await rows.last().locator("button").click();
    await page.getByTestId("diagram-find").fill("");
    await page.getByTestId("lensed").waitFor();
    assert.equal((await moment(page)).us, us, "both sides stay in sight");
    assert.match(await page.locator(".inspect").innerText(), /entries[^]*sent[^]*arrived/i);
    const texts = await rows.allInnerTexts();
    assert.ok(texts.some((row) => row.includes("answer to a client")), "the answer came of it");
    await page.getByTestId("story").getByText("was told: /cause is there").waitFor();
    await page.getByTestId("lens").uncheck();
    await page.getByTestId("lensed").waitFor({ state: "detached" });
    assert.equal(await rows.count(), all);
    await page.close();
  });

  test("messages are found by words, and lanes are hidden", async () => {
    const page = await settled();
    const { id } = await leader(page);
    await page.keyboard.press("v");
    const rows = page.getByTestId("ways").locator("tbody tr");
    await page.getByTestId("diagram-find").fill(`answer ${(id % 5) + 1}`);
    await drawn(page);
    const found = await rows.allInnerTexts();
    assert.ok(found.length > 3);
    for (const row of found) assert.match(row, new RegExp(`${(id % 5) + 1}.*heartbeat answer`));
    await page.getByTestId("diagram-find").fill("nothing of the kind");
    await drawn(page);
    assert.equal(await rows.count(), 0);
    await page.getByTestId("diagram-find").fill("");
    const lane = page.getByTestId(`lane-${id}`);
    await lane.focus();
    await page.keyboard.press("Enter");
    await drawn(page);
    assert.equal(await lane.getAttribute("aria-pressed"), "false");
    for (const row of await rows.allInnerTexts()) assert.doesNotMatch(row, new RegExp(`\\t(${id} →|. → ${id})`));
    await lane.click();
    await drawn(page);
    assert.ok((await rows.count()) > found.length);
    await page.close();
  });
}
