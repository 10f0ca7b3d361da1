// Asks a replica as a user of OpenAI's Node client does, and prints what that client made of it, as one JSON object.
// node ask.mjs BASE_URL QUESTION
import OpenAI from "openai";

const [baseURL, question] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey: "none", maxRetries: 0, timeout: 20_000 });
const messages = [
  { role: "system", content: "Be brief." },
  { role: "user", content: [{ type: "text", text: question }] },
];
const asked = { model: "ha_rag", messages };

async function plain() {
  const reply = await client.chat.completions.create({ ...asked, temperature: 0.2, user: "u" });
  const { message, finish_reason: finish } = reply.choices[0];
  return { text: message.content, finish, usage: reply.usage ?? null, ignored: reply.ha_rag.ignored };
}

async function stream() {
  const seen = { text: "", finish: null, error: null, usage: null };
  try {
    const events = await client.chat.completions.create({
      ...asked,
      stream: true,
      stream_options: { include_usage: true },
    });
    for await (const { choices, usage } of events) {
      seen.text += choices[0]?.delta?.content ?? "";
      seen.finish = choices[0]?.finish_reason ?? seen.finish;
      seen.usage = usage ?? seen.usage;
    }
  } catch (error) {
    if (!(error instanceof OpenAI.APIError)) throw error;
    seen.error = error.message;
  }
  return seen;
}

// The client's own helper puts the events together, and throws if one is not as it expects.
async function helper() {
  try {
    const whole = await client.chat.completions.stream(asked).finalChatCompletion();
    return { text: whole.choices[0].message.content, finish: whole.choices[0].finish_reason };
  } catch (error) {
    if (!(error instanceof OpenAI.OpenAIError)) throw error;
    return { error: error.message };
  }
}

async function refusal(request) {
  try {
    await request();
  } catch (error) {
    if (!(error instanceof OpenAI.APIError)) throw error;
    return { status: error.status, param: error.param };
  }
  return null;
}

const models = [];
for await (const model of client.models.list()) models.push(model.id);

console.log(
  JSON.stringify({
    plain: await plain(),
    stream: await stream(),
    helper: await helper(),
    models,
    retrieved: (await client.models.retrieve("ha_rag")).id,
    unknown: await refusal(() => client.models.retrieve("gpt-4o")),
    strict: await refusal(() => client.chat.completions.create({ ...asked, strict: true, n: 2 })),
  }),
);
