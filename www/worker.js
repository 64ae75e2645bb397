// Keeps the page for when there is no network. The build writes down which files there are, and a version that
// changes with any of them; one version's files are only ever kept together. With a network, the network comes first.
const VERSION = "development";
const FILES = [];

const prefix = `otterkeeper ${self.registration.scope} `;
const name = prefix + VERSION;
const kept = new Set(FILES.map((file) => new URL(file, self.registration.scope).href));

self.addEventListener("install", (event) => {
  const fill = async () => {
    const cache = await caches.open(name);
    await cache.addAll(FILES);
    await self.skipWaiting();
  };
  event.waitUntil(fill());
});

self.addEventListener("activate", (event) => {
  const old = (key) => key.startsWith(prefix) && key !== name;
  const tidy = async () => {
    const keys = await caches.keys();
    await Promise.all(keys.filter(old).map((key) => caches.delete(key)));
    await self.clients.claim();
  };
  event.waitUntil(tidy());
});

self.addEventListener("fetch", (event) => {
  const { method, url } = event.request;
  const plain = url.split(/[?#]/)[0];
  if (method !== "GET" || !kept.has(plain)) return;
  const answer = async () => {
    try {
      return await fetch(event.request);
    } catch (offline) {
      const cache = await caches.open(name);
      const found = await cache.match(plain);
      if (found) return found;
      throw offline;
    }
  };
  event.respondWith(answer());
});
