// Markdown as elements. What a model writes is text to this file and never markup: nothing is
// parsed as HTML, and a link leads to http(s) or nowhere. Covered is what models write: headings,
// lists, code, quotes, tables, emphasis, links. A model can be talked into writing anything, so what
// is nested or opened endlessly stays text: no answer may stop the page.

const FENCE = /^\s*(```+|~~~+)\s*([\w+#-]*)\s*$/;
const HEADING = /^(#{1,6})\s+(.*?)\s*#*$/;
const ITEM = /^(\s*)([-*+]|\d{1,9}[.)])\s+(.*)$/;
const RULE = /^\s*([-*_])(\s*\1){2,}\s*$/;
const DIVIDER = /^[\s|:]*-[\s|:-]*$/;
const DEEPEST = 12;
const INLINE = /(?<!`)(`{1,9})(?!`)([\s\S]{0,5000}?[^`])\1(?!`)|\*\*(?=\S)([\s\S]*?\S)\*\*|(?<![\w*])\*(?=[^\s*])([\s\S]*?[^\s*])\*(?!\w)|(?<!\w)_(?=\S)([\s\S]*?\S)_(?!\w)|~~(?=\S)([\s\S]*?\S)~~|\[([^\[\]]+)\]\(([^\s()]+(?:\([^\s()]*\)[^\s()]*)*)\)|(https?:\/\/[^\s<>()\[\]"']*[^\s<>()\[\]"'.,;:!?])/;

export function markdown(text) {
  const fragment = document.createDocumentFragment();
  blocks(text.split(/\r?\n/), fragment);
  return fragment;
}

function blocks(lines, parent, depth = 0) {
  if (depth > DEEPEST) { plain(lines.join("\n"), append(parent, "p")); return; }
  let at = 0;
  while (at < lines.length) {
    const line = lines[at];
    if (!line.trim()) { at += 1; continue; }
    let found = line.match(FENCE);
    if (found) { at = fence(lines, at, found, parent); continue; }
    found = line.match(HEADING);
    if (found) {
      const heading = append(parent, `h${Math.min(found[1].length + 2, 5)}`);
      inline(found[2], heading);
      at += 1;
      continue;
    }
    if (RULE.test(line)) { append(parent, "hr"); at += 1; continue; }
    if (/^\s*>/.test(line)) {
      const inside = [];
      while (at < lines.length && /^\s*>/.test(lines[at])) inside.push(lines[at++].replace(/^\s*> ?/, ""));
      blocks(inside, append(parent, "blockquote"), depth + 1);
      continue;
    }
    if (ITEM.test(line)) { at = list(lines, at, parent, depth); continue; }
    if (line.includes("|") && DIVIDER.test(lines[at + 1] ?? "")) { at = table(lines, at, parent); continue; }
    const paragraph = [];
    while (at < lines.length && lines[at].trim() && !startsBlock(lines[at])) paragraph.push(lines[at++].trim());
    if (!paragraph.length) paragraph.push(lines[at++].trim());
    inline(paragraph.join("\n"), append(parent, "p"));
  }
}

function startsBlock(line) {
  return FENCE.test(line) || HEADING.test(line) || ITEM.test(line) || /^\s*>/.test(line) || RULE.test(line);
}

function fence(lines, at, found, parent) {
  const inside = [];
  for (at += 1; at < lines.length && lines[at].trim() !== found[1]; at += 1) inside.push(lines[at]);
  const pre = append(parent, "pre");
  pre.tabIndex = 0;
  append(pre, "code").textContent = inside.join("\n");
  return at + 1;
}

function list(lines, at, parent, depth) {
  const [, indent, mark] = lines[at].match(ITEM);
  const element = append(parent, /\d/.test(mark) ? "ol" : "ul");
  if (/\d/.test(mark) && parseInt(mark, 10) !== 1) element.start = parseInt(mark, 10);
  while (at < lines.length) {
    const found = lines[at].match(ITEM);
    if (!found || found[1].length < indent.length || (found[1].length === indent.length && /\d/.test(found[2]) !== /\d/.test(mark))) break;
    const inside = [found[3]];
    const width = found[1].length + found[2].length + 1;
    for (at += 1; at < lines.length; at += 1) {
      const line = lines[at];
      if (!line.trim()) {
        const next = lines[at + 1];
        if (next === undefined || next.length - next.trimStart().length < width) break;
      } else if (line.length - line.trimStart().length <= indent.length && (ITEM.test(line) || startsBlock(line))) break;
      inside.push(line.replace(new RegExp(`^\\s{0,${width}}`), ""));
    }
    const item = append(element, "li");
    if (inside.some((one) => !one.trim() || startsBlock(one))) {
      const first = inside.findIndex((one) => !one.trim() || startsBlock(one));
      inline(inside.slice(0, first).join("\n"), item);
      blocks(inside.slice(first), item, depth + 1);
    } else inline(inside.join("\n"), item);
    while (at < lines.length && !lines[at].trim() && ITEM.test(lines[at + 1] ?? "")) at += 1;
  }
  return at;
}

function table(lines, at, parent) {
  const element = append(parent, "table");
  const rows = [];
  const start = at;
  while (at < lines.length && lines[at].includes("|")) rows.push(lines[at++]);
  rows.forEach((line, number) => {
    if (number === 1 && start + 1 < at) return;
    const row = append(element, "tr");
    for (const cell of line.trim().replace(/^\||\|$/g, "").split("|")) inline(cell.trim(), append(row, number ? "td" : "th"));
  });
  return at;
}

function inline(text, parent) {
  while (text) {
    const found = text.match(INLINE);
    if (!found) { plain(text, parent); return; }
    plain(text.slice(0, found.index), parent);
    const [all, ticks, code, bold, star, under, gone, label, address, bare] = found;
    if (ticks) append(parent, "code").textContent = code.trim();
    else if (bold) inline(bold, append(parent, "strong"));
    else if (star ?? under) inline(star ?? under, append(parent, "em"));
    else if (gone) inline(gone, append(parent, "del"));
    else link(label ?? bare, address ?? bare, parent);
    text = text.slice(found.index + all.length);
  }
}

function link(label, address, parent) {
  if (!/^https?:\/\//i.test(address)) { plain(label, parent); return; }
  const element = append(parent, "a");
  element.href = address;
  element.target = "_blank";
  element.rel = "noopener noreferrer nofollow";
  element.textContent = label;
}

function plain(text, parent) {
  text.split("\n").forEach((line, number) => {
    if (number) append(parent, "br");
    parent.append(line);
  });
}

function append(parent, name) {
  return parent.appendChild(document.createElement(name));
}
