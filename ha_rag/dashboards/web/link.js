// What the server tells, live: server-sent events read with fetch, since an EventSource can carry no key.
// It comes back by itself, further and further apart, and goes on after the last event that it has heard.

const KEY = "ha_rag key";
const LONGEST_WAIT_MS = 10_000;
const SILENCE_MS = 5_000; // the server speaks every second

export const key = { get: () => sessionStorage.getItem(KEY), set: (value) => sessionStorage.setItem(KEY, value) };
export const authorized = (token = key.get()) => (token ? { Authorization: `Bearer ${token}` } : {});

export async function listen({ onEvent, onFleet, onUp, onDown, onKeyWanted }) {
  let lastId = "";
  for (let failures = 0; ; failures += 1) {
    try {
      const heard = (kind, id, data) => {
        failures = 0;
        lastId = id || lastId;
        onUp();
        if (kind === "fleet") onFleet(data);
        else onEvent(data);
      };
      await readOnce(lastId, heard, onKeyWanted);
      onDown();
    } catch {
      onDown();
    }
    await new Promise((resolve) => setTimeout(resolve, Math.min(LONGEST_WAIT_MS, 500 * 2 ** failures)));
  }
}

async function readOnce(lastId, heard, onKeyWanted) {
  const giveUp = new AbortController();
  let silence = setTimeout(() => giveUp.abort(), SILENCE_MS);
  const headers = { Accept: "text/event-stream", ...authorized(), ...(lastId ? { "Last-Event-ID": lastId } : {}) };
  try {
    const reply = await fetch("/v1/events?fleet=true", { headers, signal: giveUp.signal, cache: "no-store" });
    if (reply.status === 401) {
      clearTimeout(silence);
      await onKeyWanted();
      return;
    }
    if (!reply.ok) throw new Error(String(reply.status));
    let text = "";
    const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      clearTimeout(silence);
      silence = setTimeout(() => giveUp.abort(), SILENCE_MS);
      const messages = (text + value).split("\n\n");
      text = messages.pop();
      messages.forEach((message) => told(message, heard));
    }
  } finally {
    clearTimeout(silence);
  }
}

function told(message, heard) {
  const fields = Object.fromEntries(
    message.split("\n").filter((line) => /^(event|id|data):/.test(line)).map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)]),
  );
  if (fields.data) heard(fields.event ?? "message", fields.id, JSON.parse(fields.data));
}
