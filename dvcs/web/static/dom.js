// Elements, data blocks and small helpers. Text from data only ever becomes text nodes or the
// values of harmless attributes; nothing here parses HTML.

const SVG_NAMES = "http://www.w3.org/2000/svg";

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children) {
    if (child !== null && child !== undefined && child !== false) element.append(child);
  }
  return element;
}

// make("button", {class: "wide", onclick: save}, "Save")
function make(name, attributes, ...children) {
  return filled(document.createElement(name), attributes, children);
}

function drawn(name, attributes, ...children) {
  return filled(document.createElementNS(SVG_NAMES, name), attributes, children);
}

// The JSON of a data block, parsed anew each time: large pages keep only what is looked at.
function block(id) {
  return JSON.parse(document.getElementById(id).textContent);
}

function color(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

const COUNT = new Intl.NumberFormat("en");

function plural(count, one, many) {
  return `${COUNT.format(count)} ${count === 1 ? one : many || `${one}s`}`;
}

// The address of a picture by its name: a file beside the page, or a block inside it.
function pictureAddress(name) {
  if (!name) return null;
  if (PAGE.folder !== null) return PAGE.folder + name;
  const held = document.getElementById(`picture-${name}`);
  const kind = name.endsWith(".png") ? "image/png" : "image/jpeg";
  return held && `data:${kind};base64,${held.textContent}`;
}

// What an object holds under a name out of data, which may be "constructor".
function held(object, name) {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

function isTyping(event) {
  return ["INPUT", "TEXTAREA", "SELECT"].includes(event.target.tagName);
}

const PAGE = block("page"); // {folder}: where pictures are, null: inside
const INDEX = block("index"); // what is told of all items at once
