// What a run is saved as, read by what reads it: an XML parser, a JSON schema, the expression of ShiViz, the page
// itself. Knows the page by its test hooks only.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

/** Which parts of a value are not as a JSON schema says; knows the words that our schema uses. */
export function faults(schema, value, at = "$", root = schema) {
  if (schema.$ref) return faults(root.$defs[schema.$ref.replace("#/$defs/", "")], value, at, root);
  const found = [];
  const is = { object: (v) => v !== null && typeof v === "object" && !Array.isArray(v), array: Array.isArray, integer: Number.isInteger, string: (v) => typeof v === "string" };
  if (schema.type && !is[schema.type](value)) return [`${at} is no ${schema.type}`];
  if (schema.enum && !schema.enum.includes(value)) found.push(`${at} is ${value}`);
  if (schema.minimum !== undefined && value < schema.minimum) found.push(`${at} is below ${schema.minimum}`);
  if (schema.pattern && !new RegExp(schema.pattern).test(value)) found.push(`${at} is ${value}`);
  if (schema.minItems && value.length < schema.minItems) found.push(`${at} is too short`);
  for (const name of schema.required ?? []) if (!(name in value)) found.push(`${at} lacks ${name}`);
  for (const [name, part] of Object.entries(schema.properties ?? {})) {
    if (value !== null && typeof value === "object" && name in value) found.push(...faults(part, value[name], `${at}.${name}`, root));
  }
  if (schema.items) value.forEach((item, place) => found.push(...faults(schema.items, item, `${at}[${place}]`, root)));
  if (schema.oneOf) {
    const all = schema.oneOf.map((one) => faults(one, value, at, root));
    if (all.filter((one) => one.length === 0).length !== 1) found.push(`${at} fits none: ${all.map((one) => one[0]).join("; ")}`);
  }
  return found;
}

/** A timeline for Perfetto: by the schema beside this file, and every arrival has left before. */
export function readTimeline(text) {
  const trace = JSON.parse(text);
  const schema = JSON.parse(readFileSync(new URL("../perfetto.schema.json", import.meta.url), "utf8"));
  assert.deepEqual(faults(schema, trace).slice(0, 3), []);
  const left = new Map();
  let arrived = 0;
  for (const event of trace.traceEvents) {
    if (event.ph === "s") left.set(event.id, event.ts);
    if (event.ph !== "f") continue;
    assert.ok(left.get(event.id) <= event.ts, `message ${event.id}`);
    arrived += 1;
  }
  return { arrived, digest: trace.otherData.digest };
}

/** A log for ShiViz, read by its usual expression, as ShiViz applies it; clocks must say what happened before what. */
export function readLog(text) {
  const expression = /(?<event>.*)\n(?<host>\S*) (?<clock>{.*})/gm;
  const events = [...text.matchAll(expression)].map(({ groups }) => ({ ...groups, clock: JSON.parse(groups.clock) }));
  assert.equal(events.length * 2, text.trimEnd().split("\n").length, "every line belongs to an event");
  const [last, sent] = [new Map(), new Map()];
  const below = (a, b) => Object.entries(a).every(([host, count]) => count <= (b[host] ?? 0));
  let arrived = 0;
  for (const { event, host, clock } of events) {
    assert.equal(clock[host], (last.get(host)?.[host] ?? 0) + 1, event);
    assert.ok(below(last.get(host) ?? {}, clock), event);
    last.set(host, clock);
    const [verb, number] = event.split(" ");
    if (verb === "sends") sent.set(number, clock);
    if (verb !== "gets" || !sent.has(number)) continue;
    assert.ok(below(sent.get(number), clock) && !below(clock, sent.get(number)), event);
    arrived += 1;
  }
  return { hosts: last.size, arrived };
}

/** Clicks through the menu, and gives the file that the browser saves. */
export async function saved(page, form) {
  await page.getByTestId("export").click();
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByTestId(`export-${form}`).click()]);
  return { name: download.suggestedFilename(), bytes: readFileSync(await download.path()) };
}
