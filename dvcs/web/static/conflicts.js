// The page of `dvcs conflicts --html`: conflicts over their pictures, decided by keys.

// What is drawn: the base, and both sides of a merge, or all voters.
const SIDES = INDEX.sides.map((one) => one.id);
const SIDE = Object.fromEntries(INDEX.sides.map((one) => [one.id, one]));
const SIDE_KEYS = ["1", "2", "3", "5", "6", "7", "8", "9"];
const MODES = INDEX.vote
  ? [
      ["all", "Over each other", "4", "All voters over each other"],
      ["side", "Side by side", "s", "The first two voters that are shown"],
      ["blink", "Blink", "x", "The voters that are shown in turns"],
    ]
  : [
      ["all", "Over each other", "4", "Base, ours and theirs over each other"],
      ["side", "Side by side", "s", "Ours at the left, theirs at the right"],
      ["blink", "Blink", "x", "Ours and theirs in turns"],
    ];

const state = { item: null, at: null, current: 0, turn: 0, timer: null };

const stage = new Stage({ over: () => {}, click: (row) => select(row, false) });
const mode = new Choice(MODES, "all", show);
const layers = Object.fromEntries(
  SIDES.map((side, at) => [
    side,
    new Toggle(
      SIDE[side].name,
      SIDE_KEYS[at] || "",
      INDEX.vote ? `Show what ${SIDE[side].name} has` : `Show what is on this side: ${side}`,
      true,
      show,
    ),
  ]),
);
const context = new Toggle("Whole item", "g", "Also what is not in conflict", true, show);
const captions = new Toggle("Captions", "c", "Show labels beside the shapes", true, (on) =>
  document.body.classList.toggle("bare", !on),
);
const onward = new Toggle(
  "Go on",
  "a",
  "After a decision go to the next open conflict",
  true,
  () => {},
);
const rail = new Rail(INDEX.items, { fill: fillCard, open });
const panel = make("aside", { class: "panel" });
const heading = make("div", { class: "heading" });
const progress = make("progress", { class: "progress", max: total() });
const done = make("span", { class: "dim" });
const said = make("span", { class: "dim said", role: "status" });
const names = make("datalist", { id: "names" });
const kinds = [...new Set(INDEX.items.flatMap((item) => item.kinds))].sort();
const labels = [...new Set(INDEX.items.flatMap((item) => item.labels))].sort();
const filters = { kind: "", label: "", open: "" };
const keys = help([
  ["o t b u v", "as ours, theirs, base; keep both; another value"],
  ["r", "take a decision back"],
  ["j k", "next, previous conflict"],
  ["n", "next open conflict"],
  INDEX.vote
    ? [
        SIDE_KEYS.slice(0, SIDES.length).join(" "),
        `${SIDES.slice(0, SIDE_KEYS.length)
          .map((side) => SIDE[side].name)
          .join(", ")} on the picture`,
      ]
    : ["1 2 3", "base, ours, theirs on the picture"],
  ["4 s x", "over each other, side by side, blink"],
  ["g", "what is not in conflict, in grey"],
  ["+ - 0", "zoom in, out, the whole picture"],
  ["w", "save decisions.json"],
]);

// -- items ---------------------------------------------------------------------------------------

function load(at) {
  const item = block(`item-${at}`);
  const notes = [
    ...item.common,
    ...SIDES.flatMap((side) => item.layers[side] || []),
    ...item.conflicts.flatMap((one) => SIDES.flatMap((side) => one.notes[side])),
  ];
  return { ...item, scene: sceneOf(item, notes, held(INDEX.skeletons, item.source) || {}) };
}

function entriesOf(item, current, sides) {
  const found = [];
  const told = new Set();
  item.conflicts.forEach((conflict, row) => {
    for (const side of sides) {
      for (const note of conflict.notes[side]) {
        told.add(JSON.stringify([side, note.id, note.type]));
        const caption = side === "base" ? "" : `${SIDE[side].name}: ${captionOf(note)}`;
        found.push({
          note,
          role: SIDE[side].role,
          who: SIDE[side].name,
          row,
          caption,
          strong: row === current,
          quiet: row !== current,
        });
      }
    }
  });
  if (context.on) {
    for (const note of item.common) found.push({ note, role: "same" });
    for (const side of sides) {
      for (const note of item.layers[side] || []) {
        if (told.has(JSON.stringify([side, note.id, note.type]))) continue;
        found.push({ note, role: SIDE[side].role, who: SIDE[side].name, quiet: true });
      }
    }
  }
  return found;
}

function fillCard(at, card) {
  const [item, facts] = [load(at), INDEX.items[at]];
  const left = facts.keys.length - Object.keys(decisions[at]).length;
  card.append(
    thumbnail(item.scene, entriesOf(item, -1, SIDES)),
    make("span", { class: "card-name" }, facts.name),
    make(
      "span",
      { class: "counts" },
      left
        ? make("span", { class: "removed" }, `${left} open`)
        : make("span", { class: "added" }, "✓ decided"),
    ),
  );
  card.title = facts.name;
}

function open(at, current = 0) {
  if (at === null) return;
  const again = state.at === at;
  if (!again) state.item = load(at);
  state.at = at;
  rail.mark(at);
  if (!again) fillPanel();
  select(current < 0 ? state.item.conflicts.length - 1 : current, true);
}

function select(row, focus) {
  state.current = row;
  panel
    .querySelectorAll(".conflict")
    .forEach((one, at) => one.classList.toggle("current", at === row));
  panel.children[row].scrollIntoView({ block: "nearest" });
  show();
  if (!focus) return;
  const { notes } = state.item.conflicts[row];
  const box = around(SIDES.flatMap((side) => notes[side]).map(boundsOf));
  if (box) stage.focus(box);
  else stage.fit();
}

function show() {
  const { item } = state;
  clearInterval(state.timer);
  if (!item) return;
  const shown = SIDES.filter((side) => layers[side].on);
  const part = (sides, title) => ({
    scene: item.scene,
    entries: entriesOf(item, state.current, sides),
    title,
  });
  const one = (side) => part(shown.includes("base") ? ["base", side] : [side], titleOf(side));
  const others = SIDES.filter((side) => side !== "base");
  const wanted = others.filter((side) => layers[side].on);
  const turns = INDEX.vote && wanted.length > 1 ? wanted : others;
  if (mode.value === "side") stage.show(turns.slice(0, 2).map(one));
  else if (mode.value === "blink") {
    const step = () => {
      stage.show([one(turns[state.turn % turns.length])]);
      state.turn += 1;
    };
    step();
    state.timer = setInterval(step, BLINK_MS);
  } else stage.show([part(shown, "")]);
}

function titleOf(side) {
  const { name, title } = SIDE[side];
  const told = INDEX.vote ? name : `${name} (${title})`;
  return state.item.layers[side] === null ? `${told}: not there` : told;
}

// -- the list of conflicts -----------------------------------------------------------------------

function fillPanel() {
  const { item } = state;
  names.replaceChildren(
    ...(held(INDEX.names, item.source) || []).map((value) => make("option", { value })),
  );
  heading.replaceChildren(make("span", { class: "item-name" }, item.name));
  panel.replaceChildren(...item.conflicts.map(conflictElement));
}

function decide(row, choice) {
  const conflict = state.item.conflicts[row];
  if (!conflict || !conflict.allowed.includes(choice)) {
    said.textContent = `"${choice}" does not make sense here`;
    return;
  }
  if (choice !== "value") {
    settle(row, { choice, value: null });
    return;
  }
  select(row, false);
  const box = panel.children[row].querySelector(".value-box");
  for (const one of box.querySelectorAll(".value, button")) one.hidden = false;
  box.scrollIntoView({ block: "nearest" });
  box.firstChild.focus();
  box.firstChild.select();
}

// Keep a decision (null: take it back), and go on.
function settle(row, decision) {
  const { key } = state.item.conflicts[row];
  if (decision) decisions[state.at][key] = decision;
  else delete decisions[state.at][key];
  remember();
  panel.children[row].replaceWith(conflictElement(state.item.conflicts[row], row));
  rail.refresh(state.at);
  told();
  said.textContent = "";
  if (decision && onward.on) nextOpen();
}

function told() {
  progress.value = decided();
  done.textContent = `${decided()} of ${plural(total(), "conflict")} decided`;
}

function step(by) {
  const next = state.current + by;
  if (next >= 0 && next < state.item.conflicts.length) select(next, true);
  else open(rail.beside(by), by > 0 ? 0 : -1);
}

// From here to the end, then from the beginning.
function nextOpen() {
  const order = rail.shown;
  const here = Math.max(0, order.indexOf(state.at));
  for (let count = 0; count <= order.length; count += 1) {
    const at = order[(here + count) % order.length];
    const from = count === 0 ? state.current : 0;
    const row = INDEX.items[at].keys.findIndex((key, n) => n >= from && !decisions[at][key]);
    if (row >= 0) return open(at, row);
  }
  said.textContent = decided() === total() ? "all is decided: save it" : "";
  return undefined;
}

function refilter(name, value) {
  filters[name] = value;
  rail.filter(
    (item, at) =>
      (!filters.kind || item.kinds.includes(filters.kind)) &&
      (!filters.label || item.labels.includes(filters.label)) &&
      (!filters.open || item.keys.some((key) => !decisions[at][key])),
  );
  if (rail.shown.length && !rail.shown.includes(state.at)) open(rail.shown[0]);
}

// -- the page ------------------------------------------------------------------------------------

const saveButton = button("Save", "w", `Save ${FILE} for 'dvcs resolve --from'`, save);
saveButton.classList.add("save");
document.body.append(
  make(
    "header",
    null,
    make(
      "h1",
      null,
      make("span", { class: "program" }, "dvcs conflicts"),
      `${INDEX.operation} of`,
      make("span", { class: "revision" }, INDEX.revision),
      INDEX.branch && "into",
      INDEX.branch && make("span", { class: "revision" }, INDEX.branch),
    ),
    progress,
    done,
    make("span", { class: "space" }),
    said,
    button("Copy", "", "Copy the decisions", copy),
    saveButton,
    themeButton(),
    button("?", "", "Keys", () => keys.showModal()),
  ),
  make(
    "div",
    { class: "filters" },
    selection(
      "All kinds",
      kinds.map((one) => [one, one]),
      (value) => refilter("kind", value),
    ),
    selection(
      "All labels",
      labels.map((one) => [one, one]),
      (value) => refilter("label", value),
    ),
    selection("Decided or not", [["open", "Open only"]], (value) => refilter("open", value)),
    onward.root,
  ),
  make(
    "main",
    null,
    rail.root,
    make(
      "div",
      { class: "center" },
      heading,
      make(
        "div",
        { class: "tools" },
        mode.root,
        ...SIDES.map((side) => layers[side].root),
        context.root,
        captions.root,
      ),
      stage.root,
      make(
        "div",
        { class: "legend" },
        ...SIDES.map((side) => make("span", { class: SIDE[side].role }, SIDE[side].name)),
        make("span", { class: "same" }, ROLES.same),
      ),
    ),
    panel,
  ),
  names,
  keys,
);

listenForKeys({
  ...Object.fromEntries(
    Object.entries(CHOICES).map(([choice, [, key]]) => [key, () => decide(state.current, choice)]),
  ),
  r: () => settle(state.current, null),
  j: () => step(1),
  k: () => step(-1),
  ArrowDown: () => step(1),
  ArrowUp: () => step(-1),
  n: nextOpen,
  ...Object.fromEntries(
    SIDES.slice(0, SIDE_KEYS.length).map((side, at) => [SIDE_KEYS[at], () => layers[side].flip()]),
  ),
  4: () => mode.set("all"),
  s: () => mode.set(mode.value === "side" ? "all" : "side"),
  x: () => mode.set(mode.value === "blink" ? "all" : "blink"),
  g: () => context.flip(),
  c: () => captions.flip(),
  a: () => onward.flip(),
  "+": () => stage.zoom(1.4),
  "=": () => stage.zoom(1.4),
  "-": () => stage.zoom(1 / 1.4),
  0: () => stage.fit(),
  w: save,
  "?": () => keys.showModal(),
});

recall();
told();
if (INDEX.items.length) open(0);
else stage.root.replaceChildren(make("p", { class: "nothing" }, "Nothing is left to decide."));
