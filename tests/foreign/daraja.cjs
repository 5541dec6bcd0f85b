// `mpesa-api` from npm: a Daraja client for Node, unchanged, against the simulator. What it is to
// do comes as JSON on standard input, and what it was answered goes to standard output.
"use strict";

const http = require("node:http");
const { readFileSync } = require("node:fs");
const { routes } = require("mpesa-api/lib/routes");
const { Mpesa } = require("mpesa-api");

/** The package knows M-Pesa's two hosts only, and no ports: both are put in here. */
function pointAt(url) {
  const { hostname, port } = new URL(url);
  const request = http.request;
  http.request = (options, ...more) => request({ ...options, port }, ...more);
  routes.sandbox = `http://${hostname}`;
}

async function main() {
  const { url, credentials, calls } = JSON.parse(readFileSync(0));
  pointAt(url);
  const client = new Mpesa(credentials, "sandbox");
  // It encrypts the password in the background and tells nobody when that is done.
  while (!client.securityCredential) await new Promise(setImmediate);
  const answers = [];
  for (const [name, given] of calls) {
    answers.push(await client[name](given).then(taken, refused));
  }
  console.log(JSON.stringify(answers));
}

const taken = (answer) => ({ answer });
const refused = (error) => ({ status: error.statusCode, error: error.data ?? String(error) });

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
