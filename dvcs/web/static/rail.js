// The list of items at the left: small pictures that are drawn only while they are near the view.

const NEAR_PX = 700;

class Rail {
  // items: what the index says; told: {fill(item, card) draws one, open(place)}
  constructor(items, told) {
    this.items = items;
    this.told = told;
    this.shown = items.map((_, at) => at);
    this.current = null;
    this.root = make("nav", { class: "rail", "aria-label": "items" });
    this.observer = new IntersectionObserver((seen) => this.near(seen), {
      root: this.root,
      rootMargin: `${NEAR_PX}px 0px`,
    });
    this.cards = items.map((_, at) => {
      const card = make("button", { class: "card", type: "button", onclick: () => told.open(at) });
      card.dataset.at = at;
      this.observer.observe(card);
      return card;
    });
    this.empty = make("p", { class: "nothing", hidden: true }, "Nothing fits these filters.");
    this.root.append(...this.cards, this.empty);
  }

  near(seen) {
    for (const { target, isIntersecting } of seen) {
      if (isIntersecting === target.hasChildNodes()) continue;
      if (isIntersecting) this.told.fill(Number(target.dataset.at), target);
      else target.replaceChildren();
    }
  }

  refresh(at) {
    const card = this.cards[at];
    if (!card.hasChildNodes()) return;
    card.replaceChildren();
    this.told.fill(at, card);
  }

  // Show those items only for which `keep` is true.
  filter(keep) {
    this.shown = [];
    this.items.forEach((item, at) => {
      const kept = keep(item, at);
      this.cards[at].hidden = !kept;
      if (kept) this.shown.push(at);
    });
    this.empty.hidden = this.shown.length > 0;
  }

  mark(at) {
    if (this.current !== null) this.cards[this.current].removeAttribute("aria-current");
    this.current = at;
    if (at === null) return;
    this.cards[at].setAttribute("aria-current", "true");
    this.cards[at].scrollIntoView({ block: "nearest" });
  }

  // The item so many places on from the current one, among those shown; null at the ends.
  beside(steps) {
    if (this.current === null) return this.shown.length ? this.shown[0] : null;
    const order = this.shown.indexOf(this.current);
    if (order < 0) {
      const later = this.shown.filter((at) => (steps > 0 ? at > this.current : at < this.current));
      return later.length ? later[steps > 0 ? 0 : later.length - 1] : null;
    }
    const next = this.shown[order + steps];
    return next === undefined ? null : next;
  }
}

// A small picture with its shapes, as a card and a file's icon have it.
function thumbnail(scene, entries) {
  const [height, width] = scene.size;
  const svg = drawn("svg", { class: "thumbnail", viewBox: `0 0 ${width} ${height}` });
  svg.append(drawn("rect", { x: 0, y: 0, width, height, class: "paper" }));
  const href = pictureAddress(scene.picture);
  if (href)
    svg.append(drawn("image", { x: 0, y: 0, width, height, href, preserveAspectRatio: "none" }));
  for (const { note, role } of entries.slice(0, 60)) {
    const group = drawing(note, role, held(scene.skeletons, note.label));
    if (group) svg.append(group);
  }
  return svg;
}
