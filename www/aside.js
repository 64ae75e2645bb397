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

/** Writes to the clipboard, and calls back with whether the browser let it. */
export async function copy(text, done) {
  try {
    await navigator.clipboard.writeText(text);
    done(true);
  } catch {
    done(false);
  }
}
