// A message as people read it: indented, with the documents inside of it unwrapped. What cannot be
// read stays as it is.

const DEPTH_MAX = 40;
const LENGTH_MAX = 64 * 1024;

export function unfold(text) {
  if (text.length > LENGTH_MAX) return text;
  const bare = text.trim();
  if (bare.startsWith("<")) return xml(bare) ?? text;
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

function xml(text) {
  const root = parsed(text);
  if (root === null) return null;
  const lines = [];
  element(root, 0, lines);
  return lines.join("\n");
}

function parsed(text) {
  const document = new DOMParser().parseFromString(text, "text/xml");
  const failed = document.getElementsByTagName("parsererror").length > 0;
  return failed ? null : document.documentElement;
}

function element(node, depth, lines) {
  const indent = "  ".repeat(Math.min(depth, DEPTH_MAX));
  const attributes = [...node.attributes].map((it) => ` ${it.name}="${it.value}"`).join("");
  const name = node.nodeName;
  const children = [...node.children];
  const value = node.textContent.trim();
  if (children.length > 0) {
    lines.push(`${indent}<${name}${attributes}>`);
    for (const child of children) element(child, depth + 1, lines);
    lines.push(`${indent}</${name}>`);
    return;
  }
  const inner = value.startsWith("<") && depth < DEPTH_MAX ? parsed(value) : null;
  if (inner !== null) {
    lines.push(`${indent}<${name}${attributes}>  (the document inside:)`);
    element(inner, depth + 1, lines);
    lines.push(`${indent}</${name}>`);
  } else if (value === "") {
    lines.push(`${indent}<${name}${attributes}/>`);
  } else {
    lines.push(`${indent}<${name}${attributes}>${value}</${name}>`);
  }
}
