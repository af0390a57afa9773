// SPDX-License-Identifier: Apache-2.0
// A server as a component: a fetch handler, as StarlingMonkey and service workers have it.

async function answer(request) {
  const url = new URL(request.url);
  switch (url.pathname) {
    case "/echo":
      return new Response(await request.text(), { headers: { "content-type": "text/plain" } });
    case "/fetch":
      return fetch(url.searchParams.get("url"));
    default:
      return new Response("Hello from JavaScript in a Keep\n", { headers: { "content-type": "text/plain" } });
  }
}

addEventListener("fetch", (event) => {
  event.respondWith(answer(event.request).catch((error) => new Response(`${error}\n`, { status: 502 })));
});
