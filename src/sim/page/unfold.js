// A message as people read it: indented, with the documents inside of it unwrapped. What cannot be
// read stays as it is.

const DEPTH_MAX = 40;
const LENGTH_MAX = 64 * 1024;

export function unfold(text) {
  if (text.length > LENGTH_MAX) return text;
  const bare = text.trim();
  if (bare.startsWith("<")) return xml(bare);
  if (bare.startsWith("{") || bare.startsWith("[")) return json(bare) ?? text;
  if (/^[\w.]+=[^\n]*(&[\w.]+=[^\n]*)*$/.test(bare)) return form(bare);
  return text;
}

function json(text) {
  try {
    // As text and not as a value: a number such as 10.00 stays as it was written.
    JSON.parse(text);
  } catch {
    return null;
  }
  let out = "";
  let depth = 0;
  let within = false;
  const line = () => "\n" + "  ".repeat(Math.min(depth, DEPTH_MAX));
  for (let at = 0; at < text.length; at += 1) {
    const sign = text[at];
    if (within) {
      out += sign;
      if (sign === "\\") out += text[(at += 1)] ?? "";
      else if (sign === '"') within = false;
    } else if (sign === '"') {
      within = true;
      out += sign;
    } else if (/\s/.test(sign)) {
      continue;
    } else if (sign === "{" || sign === "[") {
      const rest = text.slice(at + 1).trimStart();
      const closes = sign === "{" ? "}" : "]";
      if (rest.startsWith(closes)) {
        out += sign + closes;
        at = text.indexOf(closes, at);
        continue;
      }
      depth += 1;
      out += sign + line();
    } else if (sign === "}" || sign === "]") {
      depth -= 1;
      out += line() + sign;
    } else if (sign === ",") {
      out += sign + line();
    } else {
      out += sign === ":" ? ": " : sign;
    }
  }
  return out;
}

function form(text) {
  const pairs = [...new URLSearchParams(text)];
  return pairs.map(([name, value]) => `${name} = ${value}`).join("\n");
}

// The browser's own reader is not used: it shows what it cannot read by a page of its own.
const TOKEN =
  /<!\[CDATA\[[^]*?(?:\]\]>|$)|<!--[^]*?(?:-->|$)|<\?[^]*?(?:\?>|$)|<[^>]*(?:>|$)|[^<]+/g;
/** What holds a document as a text. */
const WRAPPER = /^<(?:[\w.-]+:)?(?:RequestMsg|ResponseMsg|ResultMsg)\b/;
const SIGNS = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" };

const plain = (text) => text.replace(/&(lt|gt|amp|quot|apos);/g, (_, name) => SIGNS[name]);
const isText = (token) => token !== undefined && (!token.startsWith("<") || token.startsWith("<![CDATA["));
const isClosing = (token) => token?.startsWith("</") ?? false;
const isOpening = (token) => /^<[^/!?]/.test(token) && !token.endsWith("/>");

function xml(text, depth = 0) {
  const tokens = text.match(TOKEN).filter((token) => token.trim() !== "");
  const lines = [];
  const push = (line) => lines.push("  ".repeat(Math.min(depth, DEPTH_MAX)) + line);
  for (let at = 0; at < tokens.length; at += 1) {
    const token = tokens[at].trim();
    if (isClosing(token)) {
      depth = Math.max(depth - 1, 0);
      push(token);
    } else if (isOpening(token)) {
      const values = [];
      while (isText(tokens[at + 1 + values.length])) values.push(tokens[at + 1 + values.length]);
      const closing = tokens[at + 1 + values.length];
      if (isClosing(closing)) {
        at += values.length + 1;
        leaf(token, values, closing, depth, push, lines);
      } else {
        push(token);
        depth += 1;
      }
    } else {
      push(token);
    }
  }
  return lines.join("\n");
}

/** An element that holds no other: its value stands beside it, a document in it below. */
function leaf(opening, values, closing, depth, push, lines) {
  const value = values.join("").trim();
  const inner = contents(values).trim();
  if (WRAPPER.test(opening) && inner.startsWith("<") && depth < DEPTH_MAX) {
    push(`${opening}  (the document inside:)`);
    lines.push(xml(inner, depth + 1));
    push(closing.trim());
  } else {
    push(`${opening}${value}${closing.trim()}`);
  }
}

/** The text of an element, out of CDATA or out of its escapes. */
function contents(values) {
  const cdata = /^\s*<!\[CDATA\[([^]*?)(?:\]\]>)?\s*$/;
  return values.map((value) => cdata.exec(value)?.[1] ?? plain(value)).join("");
}
