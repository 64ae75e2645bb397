// Every key that the help lists, one after the other, each by what it does to the run or to the page.
import assert from "node:assert/strict";
import { test } from "node:test";

import { ahead, drawn, leader, moment, underWay } from "./tab.mjs";

const SECOND = 1_000_000;

export function keys({ settled }) {
  const role = (page, id) => page.locator(`[data-testid="node-${id}"]`).getAttribute("data-role");
  const pressed = (page, id) => page.getByTestId(id).getAttribute("aria-pressed");
  const chosenNode = async (page) => {
    const all = await page.locator('[data-testid^="node-"][aria-pressed="true"]').evaluateAll((nodes) => nodes.map((node) => node.dataset.testid));
    return all.join();
  };
  const focused = (page) => page.evaluate(() => document.activeElement?.id ?? "");
  const cuts = (page) => page.locator('[data-testid^="link-"][data-state="cut"]').count();
  const flights = (page) => page.locator("#messages g[data-flight]:not(.gone)").count();

  /** What each key does: the first word is what is pressed, as the help writes it. */
  const does = {
    async Space(page) {
      const before = await pressed(page, "play");
      await page.keyboard.press(" ");
      assert.notEqual(await pressed(page, "play"), before);
    },
    async "."(page) {
      const { events } = await moment(page);
      await page.keyboard.press(".");
      assert.equal((await moment(page)).events, events + 1);
    },
    async ","(page) {
      const { events } = await moment(page);
      await page.keyboard.press(",");
      assert.equal((await moment(page)).events, events - 1);
    },
    async "Shift ."(page) {
      await page.keyboard.press("Home");
      await page.keyboard.press("Shift+Period");
      const first = await moment(page);
      assert.ok(0 < first.us);
      await page.keyboard.press("End");
      await page.keyboard.press("Shift+Comma");
      assert.ok(first.us <= (await moment(page)).us);
    },
    async "["(page) {
      const speed = async () => Number(await page.getByTestId("speed").inputValue());
      const before = await speed();
      await page.keyboard.press("[");
      assert.equal(await speed(), before - 1);
    },
    async "]"(page) {
      const speed = async () => Number(await page.getByTestId("speed").inputValue());
      const before = await speed();
      await page.keyboard.press("]");
      assert.equal(await speed(), before + 1);
    },
    async U(page) {
      const { id, term } = await leader(page);
      await page.keyboard.press(String(id));
      await page.keyboard.press("k");
      await page.keyboard.press("u");
      await leader(page, (one) => term < one.term);
    },
    async Home(page) {
      await page.keyboard.press("Home");
      assert.equal((await moment(page)).us, 0);
    },
    async End(page) {
      const before = await moment(page);
      await page.keyboard.press("Home");
      await page.keyboard.press("End");
      assert.deepEqual(await moment(page), before);
    },
    async G(page) {
      await page.keyboard.press("g");
      await page.waitForFunction(() => document.activeElement?.id === "goto");
      await page.keyboard.type("0.5\n");
      assert.equal((await moment(page)).us, 500_000);
    },
    async "1-9"(page) {
      for (const id of [1, 2, 3, 4, 5]) {
        await page.keyboard.press(String(id));
        assert.equal(await chosenNode(page), `node-${id}`);
      }
      // There is no such node.
      await page.keyboard.press("9");
      assert.equal(await chosenNode(page), "node-5");
    },
    async "\u2190"(page) {
      // Node 1 is at the top; the others follow clockwise.
      await page.keyboard.press("1");
      for (const [key, id] of [["ArrowRight", 2], ["ArrowDown", 3], ["ArrowLeft", 4], ["ArrowUp", 5]]) {
        await page.keyboard.press(key);
        assert.equal(await chosenNode(page), `node-${id}`, key);
        assert.equal(await focused(page), `node-${id}`, "the focus goes along");
      }
    },
    async K(page) {
      await page.keyboard.press("2");
      await page.keyboard.press("k");
      assert.equal(await role(page, 2), "down");
      await page.keyboard.press("k");
      assert.notEqual(await role(page, 2), "down");
    },
    async P(page) {
      await page.keyboard.press("2");
      await page.keyboard.press("p");
      assert.equal(await role(page, 2), "paused");
      await page.keyboard.press("p");
      assert.notEqual(await role(page, 2), "paused");
    },
    async I(page) {
      await page.keyboard.press("2");
      await page.keyboard.press("i");
      assert.equal(await cuts(page), 8);
      await page.keyboard.press("i");
      assert.equal(await cuts(page), 0);
    },
    async T(page) {
      const { id } = await leader(page);
      const other = (id % 5) + 1;
      await page.keyboard.press(String(other));
      await page.keyboard.press("t");
      await page.keyboard.press(".");
      assert.match(await role(page, other), /candidate/);
    },
    async C(page) {
      await page.keyboard.press("c");
      assert.equal(await pressed(page, "scissors"), "true");
      const [one, two] = await Promise.all([1, 2].map((id) => page.getByTestId(`node-${id}`).boundingBox()));
      const middle = { x: (one.x + two.x + two.width) / 2, y: (one.y + two.y + two.height) / 2 };
      await page.mouse.move(middle.x + 30, middle.y - 40);
      await page.mouse.down();
      await page.mouse.move(middle.x - 30, middle.y + 40, { steps: 5 });
      await page.mouse.up();
      await drawn(page);
      assert.ok((await cuts(page)) >= 2, "a stroke cuts both directions of what it crosses");
      await page.keyboard.press("Escape");
      assert.equal(await pressed(page, "scissors"), "false");
    },
    async "Shift C"(page) {
      await page.keyboard.press("Shift+C");
      await page.waitForFunction(() => document.activeElement?.id === "matrix");
      await page.keyboard.press("Enter");
      await page.waitForSelector('[data-testid="link-1-2"][data-state="cut"]');
      assert.equal(await cuts(page), 1);
    },
    async H(page) {
      await page.keyboard.press("2");
      await page.keyboard.press("i");
      await page.keyboard.press("h");
      assert.equal(await cuts(page), 0);
    },
    async R(page) {
      await page.keyboard.press("r");
      await ahead(page, SECOND);
      await page.getByTestId("tab-znodes").click();
      await page.getByTestId("znode:/otter").waitFor();
    },
    async F(page) {
      await page.keyboard.press("f");
      await page.waitForFunction(() => document.activeElement?.id === "branch-name");
      await page.keyboard.type("before the fall\n");
      await page.getByTestId("branch-1").getByText("before the fall").waitFor();
    },
    async J(page) {
      await underWay(page, 2);
      await page.keyboard.press("j");
      const chosen = () => page.locator("#messages g.sel").getAttribute("data-flight");
      await page.waitForSelector("#messages g.sel");
      const first = await chosen();
      await page.keyboard.press("j");
      await drawn(page);
      assert.notEqual(await chosen(), first);
      await page.keyboard.press("Shift+J");
      await drawn(page);
      assert.equal(await chosen(), first);
    },
    async X(page) {
      // W sends a message twice, D makes it late, X drops it.
      for (const [key, more] of [["w", 1], ["d", 0], ["x", -1]]) {
        await underWay(page, 2);
        await page.keyboard.press("Escape");
        await page.keyboard.press("j");
        const there = await flights(page);
        const { events } = await moment(page);
        await page.keyboard.press(key);
        await drawn(page);
        assert.equal((await moment(page)).events, events + 1, key);
        assert.equal(await flights(page), there + more, key);
      }
    },
    async N(page) {
      await underWay(page, 2);
      await page.keyboard.press("j");
      const id = await page.locator("#messages g.sel").getAttribute("data-flight");
      const { us } = await moment(page);
      await page.keyboard.press("n");
      await drawn(page);
      assert.equal((await moment(page)).us, us, "at once");
      assert.equal(await page.locator(`#messages g[data-flight="${id}"]:not(.gone)`).count(), 0);
    },
    async "/"(page) {
      await page.keyboard.press("/");
      await page.waitForFunction(() => document.activeElement?.id === "command");
    },
    async V(page) {
      await page.keyboard.press("v");
      await page.getByTestId("spacetime").waitFor();
      assert.equal(await pressed(page, "diagram"), "true");
      await page.keyboard.press("v");
      await page.getByTestId("spacetime").waitFor({ state: "detached" });
    },
    async S(page) {
      await page.keyboard.press("s");
      await page.waitForFunction(() => location.hash.startsWith("#/run?"));
      await page.getByTestId("notice").waitFor();
    },
    async B(page) {
      const marked = await moment(page);
      await page.keyboard.press("b");
      await ahead(page, SECOND);
      await page.getByTestId("tab-runs").click();
      const marks = page.getByTestId("bookmarked");
      assert.equal(await marks.count(), 1);
      await marks.locator("button").click();
      assert.equal((await moment(page)).events, marked.events);
      // The same key takes it away.
      await page.keyboard.press("b");
      assert.equal(await marks.count(), 0);
    },
    async "Ctrl Z"(page) {
      const before = await moment(page);
      await page.keyboard.press("2");
      await page.keyboard.press("k");
      const after = await moment(page);
      await page.keyboard.press("Control+z");
      assert.deepEqual(await moment(page), before);
      await page.keyboard.press("Control+y");
      assert.deepEqual(await moment(page), after);
    },
    async M(page) {
      await underWay(page, 1);
      await page.keyboard.press("m");
      await page.waitForSelector("#messages.muted", { state: "attached" });
      await page.keyboard.press("m");
      await page.waitForSelector("#messages:not(.muted)", { state: "attached" });
    },
    async "?"(page) {
      await page.keyboard.press("?");
      await page.getByTestId("help-dialog").waitFor();
      await page.keyboard.press("Escape");
      await page.getByTestId("help-dialog").waitFor({ state: "detached" });
    },
    async Esc(page) {
      await page.keyboard.press("2");
      await page.keyboard.press("Escape");
      assert.equal(await chosenNode(page), "");
    },
  };

  test("the help lists no key that is not tried here", async () => {
    const page = await settled();
    await page.keyboard.press("?");
    const listed = await page.locator(".keys .k").evaluateAll((all) => all.map((one) => [...one.querySelectorAll("kbd")].map((key) => key.innerText)));
    assert.ok(listed.length >= 20);
    // Of those that stand together the first or each has its own.
    for (const together of listed) assert.ok(together.some((key) => key in does), together.join(" "));
    await page.close();
  });

  for (const [key, tried] of Object.entries(does)) {
    test(`the key ${key}`, async () => {
      const page = await settled();
      await tried(page);
      await page.close();
    });
  }

  test("keys can be switched off", async () => {
    const page = await settled();
    await page.keyboard.press("?");
    await page.getByTestId("keys-on").uncheck();
    await page.keyboard.press("Escape");
    await page.getByTestId("help-dialog").waitFor({ state: "detached" });
    const before = await moment(page);
    for (const key of ["2", "k", ".", "?", "h"]) await page.keyboard.press(key);
    await drawn(page);
    assert.deepEqual(await moment(page), before);
    assert.equal(await chosenNode(page), "");
    await page.getByTestId("help").click();
    await page.getByTestId("keys-on").check();
    await page.keyboard.press("Escape");
    await page.keyboard.press("2");
    await drawn(page);
    assert.notEqual(await chosenNode(page), "");
    await page.close();
  });

  test("keys do nothing while somebody types, and work while Hangul is typed", async () => {
    const page = await settled();
    await page.keyboard.press("/");
    await page.waitForFunction(() => document.activeElement?.id === "command");
    const before = await moment(page);
    await page.keyboard.type("k2 [");
    assert.deepEqual(await moment(page), before);
    await page.keyboard.press("Escape");
    await page.keyboard.press("2");
    // A Korean keyboard says this for the key K.
    await page.evaluate(() => document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "\u314f", code: "KeyK", bubbles: true })));
    await drawn(page);
    assert.equal(await role(page, 2), "down");
    await page.close();
  });
}
