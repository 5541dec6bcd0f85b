// The simulator's page in a real browser: what a tester sees there and does there.
//
//   MLANGO_SIM=http://127.0.0.1:8310 MLANGO_API=http://127.0.0.1:8080 MLANGO_API_KEY=…
//   MLANGO_SHOTS=target/browser node tests/browser/page.cjs
//
// It fails with the first thing that is not as it should be. tests/program/browser.rs starts what
// it talks to.

"use strict";

const assert = require("node:assert/strict");
const path = require("node:path");
const { chromium } = require("playwright-core");

const SIM = process.env.MLANGO_SIM;
const API = process.env.MLANGO_API;
const KEY = process.env.MLANGO_API_KEY;
const SHOTS = process.env.MLANGO_SHOTS;
const BROWSER = process.env.MLANGO_CHROMIUM ?? "/usr/bin/chromium";
const PATIENCE_MS = 30_000;
const ALL_MS = 240_000;
const LOOK_MS = 100;
// What would run if it were not shown as text.
const EVIL = "<img src=x onerror=window.hit=1>";
const SHORTCODE = "174379";

const done = [];
const complaints = [];

async function step(name, does) {
  const result = await does();
  done.push(name);
  console.log(`ok ${name}`);
  return result;
}

async function api(method, where, body, name) {
  const response = await fetch(`${API}${where}`, {
    method,
    headers: { "X-API-Key": KEY, "Content-Type": "application/json", "Idempotency-Key": name ?? "" },
    body: body && JSON.stringify(body),
  });
  const answer = await response.json();
  assert.ok(response.ok, `${where}: ${JSON.stringify(answer)}`);
  return answer;
}

async function sim(where) {
  const response = await fetch(`${SIM}${where}`);
  assert.ok(response.ok, where);
  return response.json();
}

async function eventually(what, look) {
  const until = Date.now() + PATIENCE_MS;
  for (;;) {
    const found = await look();
    if (found) return found;
    assert.ok(Date.now() < until, `it did not happen in time: ${what}`);
    await new Promise((later) => setTimeout(later, LOOK_MS));
  }
}

const ended = (where, status) => eventually(`${where} is ${status}`, async () => {
  const it = await api("GET", where);
  return it.status === status ? it : null;
});

async function noSidewaysScrolling(page, what) {
  const [width, room] = await page.evaluate(() => {
    const { scrollWidth, clientWidth } = document.scrollingElement;
    return [scrollWidth, clientWidth];
  });
  assert.ok(width <= room, `${what}: ${width} pixels wide in ${room}`);
}

/** Every text that can be seen differs enough from its ground (WCAG 2.2, 1.4.3). */
async function readable(page, what) {
  const faint = await page.evaluate(() => {
    const rgb = (colour) => colour.match(/[\d.]+/g).map(Number);
    const part = (c) => (c / 255 <= 0.03928 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4);
    const light = ([r, g, b]) => 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
    const ground = (node) => {
      for (let at = node; at; at = at.parentElement) {
        const colour = rgb(getComputedStyle(at).backgroundColor);
        if (colour.length === 3 || colour[3] > 0) return colour;
      }
      return [255, 255, 255];
    };
    const own = (node) => [...node.childNodes].some((it) => it.nodeType === 3 && it.data.trim());
    const seen = (node) => node.checkVisibility() && node.getBoundingClientRect().width > 0;
    return [...document.body.querySelectorAll("*")].filter((it) => own(it) && seen(it)).flatMap((it) => {
      const [a, b] = [light(rgb(getComputedStyle(it).color)), light(ground(it))];
      const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
      return ratio < 4.5 ? [`${it.tagName} ${it.textContent.slice(0, 40)}: ${ratio}`] : [];
    });
  });
  assert.deepEqual(faint, [], what);
}

async function shot(page, name) {
  if (!SHOTS) return;
  const file = path.join(SHOTS, `${name}.png`);
  // Hiding the caret would take a style of its own, which the page's policy forbids.
  await page.screenshot({ path: file, fullPage: true, caret: "initial", animations: "allow" });
}

/** The page, and everything that it complains about. */
async function open(browser, width, height, colorScheme) {
  const context = await browser.newContext({ viewport: { width, height }, colorScheme });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  page.on("console", (message) => {
    // The browser itself notes every refusal, also of the bill that is wrong on purpose.
    const refused = message.text().includes("status of 400");
    const isMeant = refused && message.location().url.endsWith("/sim/c2b");
    if (["error", "warning"].includes(message.type()) && !isMeant) complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("request", (request) => {
    if (!request.url().startsWith(`${SIM}/sim`)) complaints.push(`asks ${request.url()}`);
  });
  await page.goto(`${SIM}/sim`);
  await page.getByText("Live", { exact: true }).waitFor();
  return page;
}

async function unlabelled(page) {
  return page.evaluate(() => {
    const named = (it) => it.labels?.length > 0 || it.getAttribute("aria-label");
    const inputs = [...document.querySelectorAll("input, select")].filter((it) => !named(it));
    const buttons = [...document.querySelectorAll("button")].filter((it) => !it.textContent.trim());
    return [...inputs, ...buttons].map((it) => it.outerHTML);
  });
}

async function accounts(page) {
  const { utility } = await sim("/sim/accounts");
  const card = page.locator("#balances div", { hasText: `Utility ${utility.shortcode}` });
  await card.getByText(utility.balance, { exact: false }).first().waitFor();
  assert.deepEqual(await unlabelled(page), []);
}

async function payout(page) {
  const before = (await sim("/sim/accounts")).utility.balance;
  const taken = await api("POST", "/v1/payouts", {
    amount: "1500.00", phone: "0722 000 111", reference: "INV-2041", remarks: EVIL,
  }, `browser-payout-${process.pid}`);
  const paid = await ended(`/v1/payouts/${taken.id}`, "succeeded");
  const row = page.locator(`#ledger-rows tr[data-receipt="${paid.receipt}"]`);
  await row.waitFor();
  assert.match(await row.textContent(), /254722000111/);
  const { utility } = await sim("/sim/accounts");
  assert.notEqual(utility.balance, before);
  await page.locator("#balances dd", { hasText: utility.balance }).first().waitFor();
  return paid;
}

/** Both messages of a payout, with the document inside of them unwrapped; by the keyboard. */
async function unfolded(page, paid) {
  const item = page.locator("#exchange-list li", { hasText: `paid 1500.00 to ${paid.phone}, ${paid.receipt}` });
  await item.locator("summary").focus();
  await page.keyboard.press("Enter");
  const request = item.locator("pre").first();
  await request.waitFor();
  const text = await request.textContent();
  assert.match(text, /\(the document inside:\)/);
  assert.match(text, /^ +<CommandID>BusinessPayment<\/CommandID>$/m);
  assert.match(text, /<[^>]*spPassword>\*\*\*</);
  assert.match(text, /SecurityCredential>\*\*\*</);
  assert.match(text, /onerror=window.hit=1/);
  assert.match(await item.locator("pre").nth(1).textContent(), /<ResponseCode>0<\/ResponseCode>/);
  await item.getByRole("button", { name: "As on the wire" }).click();
  assert.match(await request.textContent(), /<!\[CDATA\[/);
  await item.getByRole("button", { name: "As on the wire" }).click();
}

const PROMPTS = [
  ["Enter the PIN", "succeeded", "0"],
  ["Wrong PIN", "failed", "2001"],
  ["Cancel", "failed", "1032"],
  ["Unreachable", "failed", "1037"],
];

async function prompts(page) {
  await page.getByLabel("by me, here").check();
  await page.getByText("Prompts wait for you here.").waitFor();
  for (const [nth, [label, status, code]] of PROMPTS.entries()) {
    const phone = `25472233344${nth}`;
    const taken = await api("POST", "/v1/stk-pushes", {
      amount: "10", phone, reference: `ORDER${nth}`, description: "Subscription",
    }, `browser-prompt-${process.pid}-${nth}`);
    const screen = page.locator("#prompts li", { hasText: phone });
    await screen.getByText(`account ORDER${nth}`).waitFor();
    if (nth === 0) await shot(page, "prompt");
    await screen.getByRole("button", { name: label }).click();
    await screen.waitFor({ state: "detached" });
    const payment = await ended(`/v1/payments/${taken.id}`, status);
    const callback = page.locator("#exchange-list li", { hasText: "stk callback" });
    await callback.filter({ hasText: new RegExp(`\\b${code} `) }).first().waitFor();
    const rows = page.locator("#ledger-rows tr", { hasText: phone });
    if (status === "succeeded") await rows.filter({ hasText: payment.receipt }).waitFor();
    else assert.equal(await rows.count(), 0, label);
  }
  await page.getByLabel("by the customers themselves").check();
  await page.getByText("Customers answer by themselves.").waitFor();
}

async function customer(page) {
  const form = page.locator("#pay");
  await form.locator("[name=shortcode]").selectOption(SHORTCODE);
  await form.getByLabel("Phone").fill("0733 123 458");
  await form.getByLabel("Amount").fill("2500");
  await form.getByLabel("Account").fill("<b>7</b>");
  await form.getByRole("button", { name: "Pay" }).click();
  const said = page.locator("#paid");
  await said.getByText("Paid 2500.00").waitFor();
  const [receipt] = (await said.textContent()).match(/(?<=receipt )\w+/);
  const row = page.locator(`#ledger-rows tr[data-receipt="${receipt}"]`);
  await row.waitFor();
  assert.ok((await row.textContent()).includes("account <b>7</b>"));
  await form.getByLabel("Amount").fill("nothing");
  await form.getByRole("button", { name: "Pay" }).click();
  await said.getByText("Not done: amount").waitFor();
  return receipt;
}

async function faults(page) {
  const form = page.locator("#fault");
  await form.locator("[name=api]").selectOption("stk");
  await form.locator("[name=fault]").selectOption("fail:CODE");
  await form.getByRole("textbox", { name: "CODE" }).fill("1");
  await form.getByLabel("Only with this text").fill("NOBODY");
  await form.getByRole("button", { name: "Lay it down" }).click();
  await page.locator("#waiting").getByText("stk: fail:1").waitFor();
  assert.equal((await sim("/sim/faults")).data.length, 1);
  await form.getByRole("button", { name: "Take all away" }).click();
  await page.locator("#waiting li").waitFor({ state: "detached" });
  assert.equal((await sim("/sim/faults")).data.length, 0);
}

/** What happened to my payment: by phone in any spelling, by receipt, by id. */
async function search(page, paid, receipt) {
  await page.locator("h1").click();
  await page.keyboard.press("/");
  const searches = ["0722 000 111", paid.receipt, paid.originator_conversation_id];
  for (const sought of searches) {
    await page.getByLabel("Find a payment").fill(sought);
    await page.keyboard.press("Enter");
    await page.getByText(`2 found for \u201c${sought}\u201d`).waitFor();
    assert.equal(await page.locator("#exchange-list li").count(), 2, sought);
    await page.waitForFunction(() => document.querySelectorAll("#ledger-rows tr").length === 1);
  }
  // The notice hides the phone: it is found by way of the ledger.
  await page.getByLabel("Find a payment").fill("0733123458");
  await page.keyboard.press("Enter");
  await page.locator("#exchange-list li", { hasText: "c2b confirmation" }).waitFor();
  await page.locator("#ledger-rows", { hasText: receipt }).waitFor();
  await page.getByRole("button", { name: "Show all" }).click();
  await page.locator("#exchange-list li", { hasText: "stk callback" }).first().waitFor();
}

async function scenarios(page) {
  assert.ok(await page.locator("#scenario").isVisible(), "scenarios are there");
  const [, second] = (await sim("/sim/scenarios")).ready_made;
  await page.locator("#play [name=scenario]").selectOption(second.name);
  await page.getByText(second.says).waitFor();
  await page.getByRole("button", { name: "Play it" }).click();
  await page.getByText(`Played now: ${second.name}.`).waitFor();
  await page.locator("#scenario-rules li", { hasText: "0 of 0" }).first().waitFor();
  await noSidewaysScrolling(page, second.name);
  await page.getByRole("button", { name: "None", exact: true }).click();
  await page.getByText("None is played.").waitFor();
}

/** However much happens, the page shows the last of it and no more. */
async function bounded(page) {
  const { last_seq: before } = await sim("/sim/exchanges?last=1");
  for (let nth = 0; nth < 260; nth += 1) await fetch(`${SIM}/oauth/v1/generate`);
  await eventually("the last exchange is shown", () => page.evaluate((seq) => {
    const newest = document.querySelector("#exchange-list li");
    return newest !== null && Number(newest.dataset.seq) >= seq;
  }, before + 260));
  assert.equal(await page.locator("#exchange-list > li").count(), 200);
}

async function looks(browser) {
  const sizes = [[1280, 900, "light"], [360, 740, "light"], [1280, 900, "dark"], [360, 740, "dark"]];
  for (const [width, height, scheme] of sizes) {
    const page = await open(browser, width, height, scheme);
    const payments = page.locator("#exchange-list li", { hasText: "soap BusinessPayment" });
    await payments.first().locator("summary").click();
    await payments.first().locator("pre").first().waitFor();
    const name = `${width}-${scheme}`;
    await noSidewaysScrolling(page, name);
    await readable(page, name);
    await shot(page, name);
    await page.context().close();
  }
}

async function main() {
  const browser = await chromium.launch({ executablePath: BROWSER, args: ["--no-sandbox"] });
  try {
    const page = await open(browser, 1280, 900, "light");
    await step("the accounts are shown, and everything has a label", () => accounts(page));
    const registered = await api("POST", "/v1/c2b/register-urls",
      { shortcode: SHORTCODE, response_type: "Completed", rail: "daraja" }, `browser-register-${process.pid}`);
    await ended(`/v1/inquiries/${registered.id}`, "succeeded");
    const paid = await step("a payout shows in ledger and accounts", () => payout(page));
    await step("its messages unfold, masked, and hostile text stays text", () => unfolded(page, paid));
    await step("prompts are answered on the phone, and the gateway learns it", () => prompts(page));
    const receipt = await step("a customer pays", () => customer(page));
    await step("a fault is laid down and taken away", () => faults(page));
    await step("a payment is found by phone, receipt and id", () => search(page, paid, receipt));
    await step("a scenario is played where there are any", () => scenarios(page));
    assert.equal(await page.evaluate(() => window.hit), undefined, "a script came over the wire");
    assert.equal(await page.locator("img").count(), 0);
    await step("it looks right at 1280 and 360 pixels, light and dark", () => looks(browser));
    await step("the page does not grow without end", () => bounded(page));
    assert.deepEqual(complaints, []);
  } finally {
    await browser.close();
  }
  console.log(`${done.length} steps are well`);
}

setTimeout(() => {
  console.error("it takes too long");
  process.exit(3);
}, ALL_MS).unref();
main().catch((error) => {
  console.error(error.stack ?? error);
  console.error("complaints:", complaints);
  process.exit(1);
});
