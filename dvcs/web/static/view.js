// The picture with shapes over it: one or two panes that zoom and move together.
//
// An entry is what a pane shows of one annotation: {note, role, who, caption, row, strong, quiet}.
// `role` gives the colour, `who` says whose it is, `row` joins it with its line in the list; of `strong` ones the caption
// is shown, `quiet` ones are faint.

const BLINK_MS = 650;
const CLICK_PX = 4;
const MOST_CHIPS = 200;
const CLOSEST = 6; // times as large as the whole picture fits, when one shape is looked at
const BELOW = new Set(["before", "base", "theirs"]); // captions that stand below their shape

class Pane {
  constructor(stage, name) {
    this.image = drawn("image", { x: 0, y: 0, preserveAspectRatio: "none", class: "picture" });
    this.paper = drawn("rect", { x: 0, y: 0, class: "paper" });
    this.shapes = drawn("g", { class: "shapes" });
    this.svg = drawn("svg", { class: "canvas" }, this.paper, this.image, this.shapes);
    this.chips = make("div", { class: "chips" });
    this.title = make("div", { class: "pane-title" });
    this.why = make("div", { class: "why" });
    this.root = make("div", { class: `pane ${name}` }, this.svg, this.chips, this.title, this.why);
    this.held = [];
    this.image.addEventListener("error", () => {
      this.image.removeAttribute("href");
      this.why.textContent = "the picture cannot be loaded; is the folder beside this page gone?";
    });
    this.image.addEventListener("load", () => {
      this.pixels = null;
    });
    stage.listen(this);
  }

  // scene: {size: [h, w], picture, why, skeletons, blank: there is nothing to draw on}
  show(scene, entries, title) {
    const [height, width] = scene.size;
    for (const one of [this.image, this.paper]) {
      one.setAttribute("width", width);
      one.setAttribute("height", height);
    }
    this.paper.toggleAttribute("hidden", Boolean(scene.blank));
    const address = pictureAddress(scene.picture);
    if (address === null) this.image.removeAttribute("href");
    else if (this.image.getAttribute("href") !== address) this.image.setAttribute("href", address);
    this.why.textContent = scene.picture ? "" : scene.why || "no picture at hand";
    this.title.textContent = title || "";
    this.title.hidden = !title;
    this.size = { width, height };
    this.draw(scene, entries);
  }

  draw(scene, entries) {
    const area = (entry) => {
      const box = boundsOf(entry.note);
      return box ? box.w * box.h : 0;
    };
    const rank = (entry) => (entry.strong ? 1 : 0);
    const ordered = [...entries].sort((a, b) => rank(a) - rank(b) || area(b) - area(a));
    this.held = [];
    this.shapes.replaceChildren();
    this.chips.replaceChildren();
    for (const entry of ordered) {
      const skeleton = held(scene.skeletons, entry.note.label);
      const group = drawing(entry.note, entry.role, skeleton);
      if (!group) continue;
      group.classList.toggle("strong", Boolean(entry.strong));
      group.classList.toggle("quiet", Boolean(entry.quiet));
      if (entry.row !== undefined) group.dataset.row = entry.row;
      this.shapes.append(group);
      const one = { entry, group, chip: null };
      if (entry.strong && entry.caption && boundsOf(entry.note) && this.held.length < MOST_CHIPS) {
        one.chip = make("span", { class: `chip ${entry.role}` }, entry.caption);
        this.chips.append(one.chip);
      }
      this.held.push(one);
    }
  }

  place(view) {
    const { clientWidth: width, clientHeight: height } = this.root;
    if (!width || !height) return;
    const [left, top] = [view.x - width / 2 / view.scale, view.y - height / 2 / view.scale];
    this.svg.setAttribute("viewBox", `${left} ${top} ${width / view.scale} ${height / view.scale}`);
    this.image.classList.toggle("pixels", view.scale >= 3);
    for (const { entry, chip } of this.held) {
      if (!chip) continue;
      const box = boundsOf(entry.note);
      const below = BELOW.has(entry.role);
      const y = below ? box.y + box.h : box.y;
      const at = [(box.x - left) * view.scale, (y - top) * view.scale + (below ? 2 : -19)];
      const inside = [
        Math.max(2, Math.min(at[0], width - 40)),
        Math.max(2, Math.min(at[1], height - 20)),
      ];
      const seen = box.x < left + width / view.scale && box.x + box.w > left;
      chip.style.transform = `translate(${inside[0]}px, ${inside[1]}px)`;
      chip.hidden = !seen || box.y > top + height / view.scale || box.y + box.h < top;
    }
  }
}

function plain(text, title, onclick) {
  return make("button", { type: "button", title, onclick }, text);
}

class Stage {
  // told: {over(row or null), click(row)}
  constructor(told) {
    this.told = told;
    this.view = { x: 0, y: 0, scale: 1 };
    this.size = { width: 1, height: 1 };
    this.panes = [new Pane(this, "first"), new Pane(this, "second")];
    this.tip = make("div", { class: "tip", hidden: true });
    this.zoomed = make("span", { class: "zoom" });
    const zooming = make(
      "div",
      { class: "zooming" },
      plain("−", "Zoom out", () => this.zoom(1 / 1.4)),
      this.zoomed,
      plain("+", "Zoom in", () => this.zoom(1.4)),
      plain("Fit", "The whole picture (0)", () => this.fit()),
    );
    const panes = this.panes.map((pane) => pane.root);
    this.root = make("div", { class: "stage" }, ...panes, zooming, this.tip);
    this.fitted = true;
    new ResizeObserver(() => (this.fitted ? this.fit() : this.placed())).observe(this.root);
  }

  // One or two pictures: [{scene, entries, title}].
  show(parts) {
    this.root.classList.toggle("two", parts.length === 2);
    this.panes[1].root.hidden = parts.length < 2;
    parts.forEach((part, at) => this.panes[at].show(part.scene, part.entries, part.title));
    this.size = this.panes[0].size;
    this.tip.hidden = true;
    if (this.fitted) this.fit();
    else this.placed();
  }

  paneSize() {
    const { clientWidth, clientHeight } = this.panes[0].root;
    return { width: clientWidth || 1, height: clientHeight || 1 };
  }

  fit() {
    const pane = this.paneSize();
    const { width, height } = this.size;
    const scale = 0.97 * Math.min(pane.width / width, pane.height / height);
    this.view = { x: width / 2, y: height / 2, scale: Math.max(scale, 1e-6) };
    this.fitted = true;
    this.placed();
  }

  // Look at a part of the image, with some of what is around it.
  focus(box) {
    if (!box) return;
    const pane = this.paneSize();
    const [w, h] = [Math.max(box.w, 8), Math.max(box.h, 8)];
    const whole = 0.97 * Math.min(pane.width / this.size.width, pane.height / this.size.height);
    const wanted = Math.min(pane.width / w, pane.height / h) * 0.35;
    const scale = Math.min(Math.max(wanted, whole), whole * CLOSEST);
    this.view = { x: box.x + box.w / 2, y: box.y + box.h / 2, scale };
    this.fitted = false;
    this.placed();
  }

  zoom(factor, point) {
    const pane = this.paneSize();
    const [px, py] = point || [pane.width / 2, pane.height / 2];
    const { x, y, scale } = this.view;
    const next = Math.min(Math.max(scale * factor, 0.005), 200);
    const [dx, dy] = [px - pane.width / 2, py - pane.height / 2];
    this.view = { x: x + dx / scale - dx / next, y: y + dy / scale - dy / next, scale: next };
    this.fitted = false;
    this.placed();
  }

  move(dx, dy) {
    this.view.x -= dx / this.view.scale;
    this.view.y -= dy / this.view.scale;
    this.fitted = false;
    this.placed();
  }

  placed() {
    for (const pane of this.panes) if (!pane.root.hidden) pane.place(this.view);
    this.zoomed.textContent = `${Math.round(this.view.scale * 100)} %`;
  }

  // Light up the shapes of one line of the list.
  light(row) {
    for (const pane of this.panes) {
      for (const { entry, group, chip } of pane.held) {
        const lit = row !== null && entry.row === row;
        group.classList.toggle("lit", lit);
        if (chip) chip.classList.toggle("lit", lit);
      }
    }
  }

  listen(pane) {
    const { svg } = pane;
    let start = null;
    let moved = false;
    svg.addEventListener(
      "wheel",
      (event) => {
        event.preventDefault();
        const box = svg.getBoundingClientRect();
        const lines = event.deltaMode ? 20 : 1;
        const factor = Math.exp(-event.deltaY * lines * 0.0016);
        this.zoom(factor, [event.clientX - box.left, event.clientY - box.top]);
      },
      { passive: false },
    );
    svg.addEventListener("pointerdown", (event) => {
      if (event.button > 1) return;
      start = [event.clientX, event.clientY];
      moved = false;
    });
    svg.addEventListener("pointermove", (event) => {
      if (!start) return this.hover(pane, event);
      const [dx, dy] = [event.clientX - start[0], event.clientY - start[1]];
      if (!moved && Math.hypot(dx, dy) < CLICK_PX) return undefined;
      if (!moved) svg.setPointerCapture(event.pointerId);
      moved = true;
      start = [event.clientX, event.clientY];
      return this.move(dx, dy);
    });
    svg.addEventListener("pointerup", (event) => {
      const one = this.under(pane, event);
      if (start && !moved && one && one.entry.row !== undefined) this.told.click(one.entry.row);
      start = null;
    });
    svg.addEventListener("pointercancel", () => (start = null));
    svg.addEventListener("pointerleave", () => this.hover(pane, null));
    svg.addEventListener("dblclick", () => this.fit());
  }

  under(pane, event) {
    const group = event && event.target.closest && event.target.closest("g.shape");
    return group ? pane.held.find((one) => one.group === group) : null;
  }

  hover(pane, event) {
    const one = this.under(pane, event);
    const row = one && one.entry.row !== undefined ? one.entry.row : null;
    this.light(row);
    this.told.over(row);
    this.tip.hidden = !one;
    if (!one) return;
    this.tip.replaceChildren(...factsOf(one.entry));
    const box = this.root.getBoundingClientRect();
    const x = Math.min(event.clientX - box.left + 14, box.width - 240);
    this.tip.style.transform = `translate(${x}px, ${event.clientY - box.top + 14}px)`;
  }
}

const ROLES = {
  added: "added",
  removed: "removed",
  before: "as it was",
  after: "as it is",
  same: "unchanged",
  base: "base",
  ours: "ours",
  theirs: "theirs",
};
const UNTOLD = new Set(["type", "label", "attributes"]);
const GEOMETRY = new Set(
  "x y w h cx cy rx ry angle parts points visibility size counts caption".split(" "),
);

// What is known of an annotation, as lines for the box beside the pointer.
function factsOf({ note, role, who }) {
  const lines = [make("b", null, `${note.type} ${note.label === undefined ? "" : note.label}`)];
  lines.push(make("i", null, who || ROLES[role] || role));
  const facts = { ...note, ...note.attributes };
  for (const [name, value] of Object.entries(facts)) {
    if (UNTOLD.has(name) || GEOMETRY.has(name)) continue;
    const text = typeof value === "string" ? value : JSON.stringify(value);
    lines.push(
      make("span", null, `${name}: ${text.length > 80 ? `${text.slice(0, 77)}...` : text}`),
    );
  }
  return lines;
}
