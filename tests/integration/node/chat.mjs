// One conversation as a page has it: the AI SDK's own Chat, transport and parser, without a
// framework. Lines of JSON come in (what to do) and go out (what the chat has become).

import { createInterface } from "node:readline";
import { AbstractChat, DefaultChatTransport } from "ai";

class State {
  messages = [];
  status = "ready";
  error = undefined;
  pushMessage = (message) => { this.messages = [...this.messages, message]; tell("message", message); };
  popMessage = () => { this.messages = this.messages.slice(0, -1); };
  replaceMessage = (index, message) => {
    this.messages = this.messages.map((one, at) => (at === index ? this.snapshot(message) : one));
    tell("message", message);
  };
  snapshot = (value) => structuredClone(value);
}

class Chat extends AbstractChat {
  constructor(options) { super({ ...options, state: new State() }); }
}

const tell = (kind, value) => console.log(JSON.stringify({ kind, value }));
const transport = new DefaultChatTransport({ api: process.argv[2] });
const chat = new Chat({ id: process.argv[3], transport });
const settle = () =>
  tell("settled", { messages: chat.messages, status: chat.status, error: chat.error?.message ?? null });

for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line);
  if (order.stop) chat.stop();
  else if (order.resume) chat.resumeStream().then(settle);
  else chat.sendMessage(order.send).then(settle);
}
