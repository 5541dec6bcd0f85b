// Node's `soap`: loads a definition, adds a header where there is one, calls one operation, and
// prints what it understood of the answer. What the test says comes as JSON on standard input.
"use strict";

const { createHash, publicEncrypt, constants, X509Certificate } = require("node:crypto");
const { readFileSync } = require("node:fs");
const soap = require("soap");

/** The four fields of RequestSOAPHeader, hashed now, without any code of the gateway's. */
function spHeader({ id, password, service }) {
  const stamp = new Date().toISOString().replace(/[^0-9]/g, "").slice(0, 14);
  const hex = createHash("sha256").update(id + password + stamp).digest("hex").toUpperCase();
  const spPassword = Buffer.from(hex).toString("base64");
  return { spId: id, spPassword, serviceId: service, timeStamp: stamp };
}

/** The initiator's password under M-Pesa's certificate: RSA, PKCS#1 v1.5, base64. */
function securityCredential({ certificate, password }) {
  const key = new X509Certificate(readFileSync(certificate)).publicKey;
  const padding = constants.RSA_PKCS1_PADDING;
  return publicEncrypt({ key, padding }, Buffer.from(password)).toString("base64");
}

async function main() {
  const { wsdl, operation, given, header, partner, initiator } = JSON.parse(readFileSync(0));
  const client = await soap.createClientAsync(wsdl);
  if (partner) {
    client.addSoapHeader({ "h:RequestSOAPHeader": prefixed(spHeader(partner)) }, "", "h", header);
  }
  // A document with a place for the credential, which is encrypted here.
  const message = initiator
    ? given.replace("CREDENTIAL-COMES-HERE", securityCredential(initiator))
    : given;
  const [told, raw] = await client[`${operation}Async`](message);
  const described = client.describe();
  console.log(JSON.stringify({ told, raw, described, sent: client.lastRequest }));
}

function prefixed(fields) {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [`h:${name}`, value]));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
