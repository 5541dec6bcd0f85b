// The page of the simulator. It asks every second, shows the last of what there is, and writes
// whatever came over the wire as text and never as markup.

import { unfold } from "/sim/unfold.js";

const EVERY_MS = 1000;
const PATIENCE_MS = 10_000;
const SHOWN_MAX = 200;
const FIRST = 100;

const byId = (id) => document.getElementById(id);

/** An element with attributes and children; texts among the children become text. */
function el(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(key, value);
    else if (value !== null && value !== false) made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/** Asks the simulator; the answer, or an error that says what it said. */
async function ask(method, path, body) {
  const response = await fetch(path, {
    method,
    headers: body === undefined ? {} : { "Content-Type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
    signal: AbortSignal.timeout(PATIENCE_MS),
  });
  const answer = await response.json().catch(() => null);
  if (!response.ok) {
    const error = new Error(answer?.error ?? answer?.errors?.[0]?.message ?? `HTTP ${response.status}`);
    error.status = response.status;
    throw error;
  }
  return answer;
}

const get = (path) => ask("GET", path);

function say(id, text, tone) {
  const where = byId(id);
  where.textContent = text;
  where.classList.toggle("good", tone === "good");
  where.classList.toggle("bad", tone === "bad");
}

/** Shows only if it is another: what does not change keeps its place, its focus and its reader. */
function replace(where, key, make) {
  if (where.dataset.key === key) return;
  where.dataset.key = key;
  where.replaceChildren(...make());
}

const clock = (at) => at.slice(11, 23);
const time = (at) => el("time", { datetime: at, title: at }, clock(at));

// Exchanges.

const exchanges = { last: 0, paused: false, find: "" };

async function refreshExchanges() {
  const list = byId("exchange-list");
  if (exchanges.find !== "") return refreshFound(list);
  const path = exchanges.last === 0
    ? `/sim/exchanges?last=${FIRST}`
    : `/sim/exchanges?after=${exchanges.last}&limit=${SHOWN_MAX}`;
  const { data, last_seq: newest } = await get(path);
  if (newest < exchanges.last) {
    // Another simulator: what was shown was never said by it.
    exchanges.last = 0;
    list.replaceChildren();
    return refreshExchanges();
  }
  for (const exchange of data) {
    list.prepend(exchangeItem(exchange));
    exchanges.last = exchange.seq;
  }
  while (list.childElementCount > SHOWN_MAX) list.lastElementChild.remove();
  byId("no-exchanges").hidden = list.childElementCount > 0;
}

async function refreshFound(list) {
  const sought = encodeURIComponent(exchanges.find);
  const { data } = await get(`/sim/exchanges?find=${sought}&limit=${FIRST}`);
  const key = `${exchanges.find}:${data.map((it) => it.seq).join()}`;
  replace(list, key, () => data.toReversed().map(exchangeItem));
  byId("no-exchanges").hidden = true;
  const what = data.length === 0
    ? `Nothing is found for \u201c${exchanges.find}\u201d among the last messages.`
    : `${data.length} found for \u201c${exchanges.find}\u201d, newest first: what it stands in, and ` +
      "all that is about the same payments.";
  byId("exchanges-note").textContent = what;
}

function exchangeItem(exchange) {
  const { story } = exchange;
  const goes = exchange.direction === "in" ? "to M-Pesa" : "from M-Pesa";
  const more = [story.amount, story.party && `with ${story.party}`, story.detail]
    .filter((piece) => piece);
  const word = (it, kind) => it && el("span", { class: `${kind} ${it.tone}` }, it.says || "answered");
  const summary = el("summary", {},
    el("span", { class: "when" }, time(exchange.at), " ", el("span", { class: "way" }, goes)),
    el("span", { class: "came" }, el("b", {}, story.what), ` ${more.join(" \u00b7 ")} `,
      word(story.news, "news")),
    word(story.answer, "answer"),
    exchange.moved && el("span", { class: "moved" }, exchange.moved.says));
  const inside = el("div", { class: "inside" });
  const details = el("details", { toggle: () => open(details, inside, exchange) }, summary, inside);
  return el("li", { "data-seq": exchange.seq }, details);
}

/** What is inside is made when it is looked at. */
function open(details, inside, exchange) {
  if (!details.open || inside.childElementCount > 0) return;
  const id = exchange.originator_conversation_id;
  const facts = [
    ["Address", exchange.path],
    ["Answer", exchange.status === null ? "none" : `HTTP ${exchange.status}`],
    ["About", id],
    ["Said", exchange.story.news?.says],
  ].filter(([, value]) => value);
  const raw = el("button", { type: "button", class: "plain", "aria-pressed": "false" },
    "As on the wire");
  const messages = el("div", { class: "both" });
  const show = (whole) => messages.replaceChildren(
    ...message("What came", exchange.request, whole),
    ...message("What was answered", exchange.response, whole));
  raw.addEventListener("click", () => {
    const pressed = raw.getAttribute("aria-pressed") !== "true";
    raw.setAttribute("aria-pressed", String(pressed));
    show(pressed);
  });
  const about = id && el("button", { type: "button", class: "plain", click: () => find(id) },
    "All about this payment");
  show(false);
  inside.append(
    el("dl", {}, ...facts.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)])),
    raw, " ", ...(about ? [about] : []), messages);
}

function message(title, text, whole) {
  const shown = text === "" ? "(nothing)" : whole ? text : unfold(text);
  return [el("h3", {}, title), el("pre", { tabindex: "0", "aria-label": title }, shown)];
}

function find(text) {
  exchanges.find = text.trim();
  byId("sought").value = exchanges.find;
  byId("all").hidden = exchanges.find === "";
  exchanges.last = 0;
  const list = byId("exchange-list");
  delete list.dataset.key;
  list.replaceChildren();
  byId("exchanges-note").textContent = "Newest first. Unfold one to see both messages. Secrets are " +
    "masked; people and phones are shown whole, because they are test data.";
  void refresh();
}

// Accounts and ledger.

async function refreshMoney() {
  const sought = exchanges.find === "" ? `last=${FIRST}`
    : `find=${encodeURIComponent(exchanges.find)}&limit=${FIRST}`;
  const [accounts, ledger] =
    await Promise.all([get("/sim/accounts?limit=1"), get(`/sim/ledger?${sought}`)]);
  const { utility, working } = accounts;
  const cards = [
    [`Utility ${utility.shortcode}`, utility.balance, `of ${utility.opening} at the start`],
    ...working.map((it) => [`Working ${it.shortcode}`, it.balance, null]),
    ["Paid out", ledger.total_paid, ledger.payments === 1 ? "in one payout" : `in ${ledger.payments} payouts`],
    ["Received", ledger.total_received, null],
    ["Given back", ledger.total_reversed, null],
  ];
  replace(byId("balances"), JSON.stringify(cards), () => cards.map(([name, sum, note]) =>
    el("div", {}, el("dt", {}, name), el("dd", {}, sum, note && el("small", {}, note)))));
  const codes = working.map((it) => it.shortcode);
  const choice = byId("pay").elements.shortcode;
  replace(choice, codes.join(), () => codes.map((code) => el("option", { value: code }, code)));
  const key = ledger.data.map((it) => `${it.seq}${it.reversed_by ?? ""}`).join();
  const rows = byId("ledger-rows");
  replace(rows, `${exchanges.find}:${key}`, () => ledger.data.toReversed().map(ledgerRow));
  byId("no-ledger").hidden = ledger.data.length > 0;
}

function ledgerRow(line) {
  const inward = line.direction === "in";
  const who = [line.phone ?? line.party, line.account && `account ${line.account}`,
    line.shortcode && `at ${line.shortcode}`].filter((piece) => piece).join(", ");
  const what = [line.kind, line.reverses && `of ${line.reverses}`,
    line.reversed_by && `given back by ${line.reversed_by}`].filter((piece) => piece).join(" ");
  return el("tr", { "data-receipt": line.receipt },
    el("td", { class: "when" }, time(line.at)),
    el("td", { class: "what" }, what, inward ? null : el("small", {}, line.command)),
    el("td", { class: "who" }, who),
    el("td", { class: `number amount ${line.direction}` }, `${inward ? "+" : "\u2212"}${line.amount}`),
    el("td", { class: "receipt" }, line.receipt),
    el("td", { class: "number balance" }, line.balance));
}

// Phones.

const ANSWERS = [
  ["pin", "Enter the PIN"],
  ["wrong_pin", "Wrong PIN"],
  ["cancel", "Cancel"],
  ["timeout", "Unreachable"],
  ["insufficient", "Too little money"],
];

async function refreshPrompts() {
  const { mode, data } = await get("/sim/prompts");
  for (const radio of document.getElementsByName("mode")) radio.checked = radio.value === mode;
  const open = data.slice(-20).reverse();
  const list = byId("prompts");
  const wanted = new Map(open.map((it) => [it.checkout_request_id, it]));
  for (const item of [...list.children]) {
    if (!wanted.delete(item.dataset.checkout)) item.remove();
  }
  for (const prompt of wanted.values()) list.prepend(phone(prompt));
  byId("no-prompts").hidden = data.length > 0;
}

function phone(prompt) {
  const id = prompt.checkout_request_id;
  const asked = `Do you want to pay KES ${prompt.amount} to ${prompt.payee} for account ` +
    `${prompt.account}? Enter your M-Pesa PIN.`;
  const keys = ANSWERS.map(([answer, label]) => el("button", {
    type: "button",
    class: answer === "pin" ? null : "plain",
    "data-answer": answer,
    click: () => answerPrompt(prompt, answer, label),
  }, label));
  return el("li", { "data-checkout": id, class: "phone" },
    el("p", { class: "number" }, `Phone ${prompt.phone}`),
    el("p", {}, asked),
    el("div", { class: "keys", role: "group", "aria-label": `Phone ${prompt.phone}` }, ...keys));
}

function answerPrompt(prompt, answer, label) {
  const id = prompt.checkout_request_id;
  return act("answered", async () => {
    await ask("POST", `/sim/prompts/${encodeURIComponent(id)}`, { answer });
    return `${prompt.phone}: ${label}. The end goes to the gateway; see the exchanges.`;
  });
}

// What a tester does.

/** Does something and says what came of it. */
async function act(where, does) {
  try {
    say(where, await does(), "good");
  } catch (error) {
    say(where, `Not done: ${error.message}`, "bad");
  }
  await refresh();
}

async function pay(form) {
  const { shortcode, kind, phone: payer, amount, account } = Object.fromEntries(new FormData(form));
  const bill = { shortcode, kind, phone: payer, amount, account };
  const paid = await ask("POST", "/sim/c2b", bill);
  if (paid.outcome !== "completed") {
    throw new Error(`cancelled with ${paid.code}; no money moved (receipt ${paid.receipt})`);
  }
  const told = paid.confirmation === null
    ? "No confirmation was sent: no addresses are registered for this short code."
    : paid.confirmation.status === null
      ? "The confirmation was not answered."
      : `The confirmation was answered with HTTP ${paid.confirmation.status}.`;
  return `Paid ${paid.amount}, receipt ${paid.receipt}. ${told}`;
}

// Faults.

let names = null;

async function refreshFaults() {
  const { data, apis, faults } = await get("/sim/faults");
  const form = byId("fault");
  if (names === null) {
    names = faults;
    form.elements.api.replaceChildren(...apis.map((it) => el("option", { value: it }, it)));
    form.elements.fault.replaceChildren(...faults.map((it) => el("option", { value: it }, it)));
    showValue();
  }
  replace(byId("waiting"), JSON.stringify(data), () => data.slice(-50).map((rule) => el("li", {},
    `${rule.api}: ${rule.fault}, from request ${rule.nth} for ${rule.times}` +
    `${rule.contains ? `, with \u201c${rule.contains}\u201d` : ""}; ${rule.seen} seen`)));
}

/** A fault such as fail:CODE needs a value. */
function showValue() {
  const form = byId("fault");
  const [, unit] = form.elements.fault.value.split(":");
  byId("fault-value").hidden = unit === undefined;
  byId("fault-value").firstElementChild.textContent = unit ?? "";
}

async function layDown(form) {
  const { api, fault, value, nth, times, contains } = Object.fromEntries(new FormData(form));
  const [name, unit] = fault.split(":");
  const rule = { api, nth: Number(nth), times: Number(times),
    fault: unit === undefined ? fault : `${name}:${value.trim()}` };
  if (contains !== "") rule.contains = contains;
  await ask("POST", "/sim/faults", rule);
  return `${rule.fault} waits for ${api}.`;
}

// Scenarios.

let scenarios = null;

async function refreshScenarios() {
  if (scenarios === false) return;
  try {
    scenarios = await get("/sim/scenarios");
  } catch (error) {
    if (error.status !== 404) throw error;
    scenarios = false;
    return;
  }
  byId("scenario").hidden = false;
  const { active, ready_made: ready, rules } = scenarios;
  byId("scenario-active").textContent =
    active === null ? "None is played." : `Played now: ${active.name}.`;
  const lines = rules.slice(0, SHOWN_MAX).map((it) =>
    [it.name ?? `rule ${it.rule}`, `${it.hits} of ${it.met}`]);
  byId("scenario-note").hidden = lines.length === 0;
  replace(byId("scenario-rules"), JSON.stringify(lines), () => lines.map(([name, count]) =>
    el("li", {}, el("span", {}, name), " ", el("span", { class: "count" }, count))));
  const choice = byId("play").elements.scenario;
  replace(choice, JSON.stringify(ready), () =>
    ready.map((it) => el("option", { value: it.name }, it.name)));
  showScenario();
}

function showScenario() {
  const chosen = byId("play").elements.scenario.value;
  const found = scenarios.ready_made.find((it) => it.name === chosen);
  byId("scenario-says").textContent = found?.says ?? "";
}

// All of it, every second.

let asking = false;

async function refresh() {
  if (asking) return;
  asking = true;
  try {
    const parts = [refreshMoney(), refreshPrompts(), refreshFaults(), refreshScenarios()];
    if (!exchanges.paused) parts.push(refreshExchanges());
    await Promise.all(parts);
    const state = exchanges.paused ? "Paused" : "Live";
    if (byId("state").textContent !== state) say("state", state);
  } catch (error) {
    say("state", `The simulator does not answer: ${error.message}`, "bad");
  } finally {
    asking = false;
  }
}

function onSubmit(id, then) {
  byId(id).addEventListener("submit", (event) => {
    event.preventDefault();
    void then(event.currentTarget);
  });
}

onSubmit("find", () => find(byId("sought").value));
onSubmit("pay", (form) => act("paid", () => pay(form)));
onSubmit("fault", (form) => act("fault-said", () => layDown(form)));
onSubmit("play", (form) => act("scenario-said", async () => {
  const scenario = form.elements.scenario.value;
  await ask("POST", "/sim/scenarios", { scenario });
  return `${scenario} is played from now on.`;
}));
byId("stop").addEventListener("click", () => act("scenario-said", async () => {
  await ask("DELETE", "/sim/scenarios");
  return "None is played any more.";
}));
byId("clear").addEventListener("click", () => act("fault-said", async () => {
  await ask("DELETE", "/sim/faults");
  return "No fault waits any more.";
}));
byId("all").addEventListener("click", () => find(""));
byId("fault").elements.fault.addEventListener("change", showValue);
byId("play").elements.scenario.addEventListener("change", showScenario);
byId("pause").addEventListener("click", (event) => {
  exchanges.paused = !exchanges.paused;
  event.currentTarget.setAttribute("aria-pressed", String(exchanges.paused));
  void refresh();
});
for (const radio of document.getElementsByName("mode")) {
  radio.addEventListener("change", () => act("answered", async () => {
    await ask("POST", "/sim/prompts/mode", { mode: radio.value });
    return radio.value === "manual" ? "Prompts wait for you here." : "Customers answer by themselves.";
  }));
}
document.addEventListener("keydown", (event) => {
  const typing = event.target.closest?.("input, select, textarea");
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    byId("sought").focus();
  }
});
document.addEventListener("visibilitychange", () => void refresh());
setInterval(() => {
  if (!document.hidden) void refresh();
}, EVERY_MS);
void refresh();
