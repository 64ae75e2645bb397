// What a browser does beside the page, and not at once: the page's wasm asks for it, and is called back.

/** Calls back with the bytes deflated, or with nothing where the browser cannot. */
export function deflate(bytes, done) {
  gather(bytes, () => new CompressionStream("deflate-raw"), Infinity).then(done, () => done());
}

/** Calls back with what was deflated: nothing if it is damaged, null as soon as there are more bytes than `most`. */
export function inflate(bytes, most, done) {
  gather(bytes, () => new DecompressionStream("deflate-raw"), most).then(done, () => done());
}

async function gather(bytes, through, most) {
  const reader = new Blob([bytes]).stream().pipeThrough(through()).getReader();
  const parts = [];
  for (let size = 0; ; ) {
    const { done, value } = await reader.read();
    if (done) return new Uint8Array(await new Blob(parts).arrayBuffer());
    size += value.length;
    if (most < size) {
      reader.cancel().catch(() => {});
      return null;
    }
    parts.push(value);
  }
}

/**
 * Calls back with the address of the page of another core, if it is kept beside this one: in the folder `cores`, and named in
 * `cores.txt`. A list and not a try, because browsers complain of what is not there.
 */
export async function seek(core, done) {
  const here = new URL(".", location.href);
  // A page that is itself kept has the others beside it.
  const home = /\/cores\/[0-9a-f]{12}\/$/.test(here.pathname) ? new URL("../../", here) : here;
  try {
    const list = await fetch(new URL("cores.txt", home), { cache: "no-cache", signal: AbortSignal.timeout(3_000) });
    const kept = list.ok && /^[0-9a-f]{12}$/.test(core) && (await list.text()).split("\n").includes(core);
    if (kept) done(new URL(`cores/${core}/index.html`, home).href + location.hash);
  } catch {
    // Without a network there is no other page.
  }
}

/**
 * The window that opened this one or embeds it can hand over a file, which no address has room for: `load` opens the bytes, and
 * gives what is wrong with them, if something is. Nobody else is listened to, and nothing else is.
 */
export function hear(load) {
  const owners = [window.opener, window.parent].filter((owner) => owner && owner !== window);
  addEventListener("message", ({ source, origin, data }) => {
    if (!owners.includes(source) || data?.otterkeeper !== "load") return;
    const why = load(new Uint8Array(data.bytes instanceof ArrayBuffer ? data.bytes : 0));
    const answer = why ? { otterkeeper: "refused", why } : { otterkeeper: "loaded" };
    source.postMessage(answer, origin === "null" ? "*" : origin);
  });
  for (const owner of owners) owner.postMessage({ otterkeeper: "ready" }, "*");
}

/** Writes to the clipboard, and calls back with whether the browser let it. */
export async function copy(text, done) {
  const write = async () => navigator.clipboard.writeText(text);
  done(await write().then(() => true, () => false));
}
