// The live event stream, read with fetch because EventSource cannot send an API key. Reconnects with backoff, and
// continues after the last event received.

const KEY = "ha_rag key";
const MAX_BACKOFF_MS = 10_000;
const SILENCE_MS = 5_000; // the server sends something every second

export const key = { get: () => sessionStorage.getItem(KEY), set: (value) => sessionStorage.setItem(KEY, value) };
export const authorized = (token = key.get()) => (token ? { Authorization: `Bearer ${token}` } : {});

export async function listen({ onEvent, onFleet, onUp, onDown, onKeyRequired }) {
  let lastId = "";
  for (let failures = 0; ; failures += 1) {
    try {
      const onMessage = (kind, id, data) => {
        failures = 0;
        lastId = id || lastId;
        onUp();
        if (kind === "fleet") onFleet(data);
        else onEvent(data);
      };
      await readOnce(lastId, onMessage, onKeyRequired);
      onDown();
    } catch {
      onDown();
    }
    await new Promise((resolve) => setTimeout(resolve, Math.min(MAX_BACKOFF_MS, 500 * 2 ** failures)));
  }
}

async function readOnce(lastId, onMessage, onKeyRequired) {
  const aborter = new AbortController();
  let timeout = setTimeout(() => aborter.abort(), SILENCE_MS);
  const headers = { Accept: "text/event-stream", ...authorized(), ...(lastId ? { "Last-Event-ID": lastId } : {}) };
  try {
    const reply = await fetch("/v1/events?fleet=true", { headers, signal: aborter.signal, cache: "no-store" });
    if (reply.status === 401) {
      clearTimeout(timeout);
      await onKeyRequired();
      return;
    }
    if (!reply.ok) throw new Error(String(reply.status));
    let text = "";
    const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      clearTimeout(timeout);
      timeout = setTimeout(() => aborter.abort(), SILENCE_MS);
      const messages = (text + value).split("\n\n");
      text = messages.pop();
      messages.forEach((message) => dispatch(message, onMessage));
    }
  } finally {
    clearTimeout(timeout);
  }
}

function dispatch(message, onMessage) {
  const fields = Object.fromEntries(
    message.split("\n").filter((line) => /^(event|id|data):/.test(line)).map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)]),
  );
  if (fields.data) onMessage(fields.event ?? "message", fields.id, JSON.parse(fields.data));
}
