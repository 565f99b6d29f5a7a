// The page of `dvcs diff --html`.

const KINDS = [
  ["added", "annotations added"],
  ["removed", "annotations removed"],
  ["geometry", "geometry changed"],
  ["label", "label changed"],
  ["attributes", "attributes changed"],
  ["other", "other fields changed"],
  ["item-added", "items added"],
  ["item-removed", "items removed"],
  ["item-moved", "items moved or renamed"],
  ["item-fields", "items' own fields changed"],
];
const MODES = [
  ["before", "Before", "1", "As it was"],
  ["after", "After", "2", "As it is"],
  ["both", "Both", "3", "Before and after over each other"],
  ["blink", "Blink", "b", "Before and after in turns"],
  ["side", "Side by side", "s", "Before at the left, after at the right"],
];

const state = { item: null, at: null, row: null, flip: false, timer: null };
const filters = { text: "", label: "", kind: "", place: "" };

const stage = new Stage({ over: lightRow, click: (row) => choose(row, { scroll: true }) });
const mode = new Choice(MODES, "both", show);
const unchanged = new Toggle("Unchanged", "u", "Show what did not change, in grey", false, show);
const captions = new Toggle("Captions", "c", "Show labels beside the shapes", true, (on) =>
  document.body.classList.toggle("bare", !on),
);
const rail = new Rail(INDEX.items, { fill: fillCard, open });
const panel = make("aside", { class: "panel" });
const heading = make("div", { class: "heading" });
const count = make("span", { class: "dim count" });
const search = make("input", {
  type: "search",
  placeholder: "Find items  ( / )",
  "aria-label": "Find items",
  oninput: () => refilter("text", search.value.toLowerCase()),
});
const labelBox = selection(
  "All labels",
  INDEX.labels.map((one) => [one.name, one.name || "(no label)"]),
  (value) => refilter("label", value),
);
const kindBox = selection(
  "All changes",
  KINDS.filter(([kind]) => INDEX.items.some((item) => item.kinds.includes(kind))),
  (value) => refilter("kind", value),
);
const places = [...new Set(INDEX.items.map((item) => item.place))].sort();
const placeBox = selection(
  "All subsets",
  places.map((one) => [one, one]),
  (value) => refilter("place", value),
);
const keys = help([
  ["j k", "next, previous item"],
  ["n p", "next, previous change of the item"],
  ["1 2 3", "before, after, both"],
  ["b", "blink"],
  ["s", "side by side"],
  ["u", "unchanged annotations"],
  ["c", "captions"],
  ["+ - 0", "zoom in, out, the whole picture"],
  ["o", "overview of all items"],
  ["t", "counts per label"],
  ["/", "find items"],
]);

// -- items ---------------------------------------------------------------------------------------

function load(at) {
  const item = block(`item-${at}`);
  const notes = [
    ...item.same,
    ...item.changes.flatMap((one) => [one.before, one.after].filter(Boolean)),
  ];
  const scene = sceneOf(item, notes, held(INDEX.skeletons, item.source) || {});
  const { picture, why, size } = item.earlier || scene;
  const earlier = { ...scene, picture, why, size: size || scene.size };
  return { ...item, scene, earlier };
}

function entriesOf(item, which, { quiet = false } = {}) {
  const found = [];
  if (quiet) {
    for (const note of item.same) found.push({ note, role: "same", caption: captionOf(note) });
  }
  item.changes.forEach((change, row) => {
    const { status, before, after } = change;
    const common = { row, strong: true };
    if (status === "removed" && which !== "after") {
      found.push({ ...common, note: before, role: "removed", caption: `− ${captionOf(before)}` });
    } else if (status === "added" && which !== "before") {
      found.push({ ...common, note: after, role: "added", caption: `+ ${captionOf(after)}` });
    } else if (status === "changed") {
      const moved = change.kinds.includes("geometry");
      if (which === "before" || (which === "both" && moved)) {
        const caption = which === "before" ? captionOf(before) : "";
        found.push({ ...common, note: before, role: "before", caption });
      }
      if (which !== "before") {
        const label = change.kinds.includes("label") && which === "both";
        const caption = label ? `${captionOf(before)} → ${captionOf(after)}` : captionOf(after);
        found.push({ ...common, note: after, role: "after", caption: `~ ${caption}` });
      }
    }
  });
  return found;
}

function fillCard(at, card) {
  const [item, facts] = [load(at), INDEX.items[at]];
  const both = entriesOf(item, "both");
  card.append(
    thumbnail(item.status === "removed" ? item.earlier : item.scene, both),
    make("span", { class: "card-name" }, facts.name),
    make("span", { class: "counts" }, ...signs(facts)),
  );
  card.title = facts.name;
}

function signs({ status, added, removed, changed }) {
  const item = status === "changed" ? [] : [make("em", { class: status }, status)];
  const notes = [
    ["added", added],
    ["removed", removed],
    ["changed", changed],
  ]
    .filter(([, number]) => number)
    .map(([name, number]) =>
      make("span", { class: name }, `${SIGNS[name]}${COUNT.format(number)}`),
    );
  return [...item, ...notes];
}

function open(at, { keep = false } = {}) {
  if (at === null) return;
  if (!keep) setOverview(false);
  const again = state.at === at;
  state.item = load(at);
  state.at = at;
  state.row = null;
  rail.mark(at);
  fillPanel();
  show();
  if (!again) stage.fit();
  history.replaceState(null, "", `#${at + 1}`);
}

function show() {
  const { item } = state;
  clearInterval(state.timer);
  document.body.dataset.mode = mode.value;
  if (!item) return;
  const quiet = unchanged.on;
  const part = (which, title) => ({
    scene: which === "before" ? item.earlier : item.scene,
    entries: entriesOf(item, which, { quiet }),
    title,
  });
  const [before, after] = [`before: ${INDEX.before}`, `after: ${INDEX.after}`];
  if (mode.value === "side") stage.show([part("before", before), part("after", after)]);
  else if (mode.value === "blink") {
    const step = () => {
      state.flip = !state.flip;
      stage.show([state.flip ? part("before", before) : part("after", after)]);
    };
    step();
    state.timer = setInterval(step, BLINK_MS);
  } else {
    const title = { before, after, both: "" }[mode.value];
    stage.show([part(mode.value, title)]);
  }
}

// -- filters and counts --------------------------------------------------------------------------

function refilter(name, value) {
  filters[name] = value;
  rail.filter(
    (item) =>
      item.name.toLowerCase().includes(filters.text) &&
      (!filters.label || item.labels.includes(filters.label)) &&
      (!filters.kind || item.kinds.includes(filters.kind)) &&
      (!filters.place || item.place === filters.place),
  );
  const all = INDEX.items.length;
  count.textContent =
    rail.shown.length === all
      ? plural(all, "item")
      : `${rail.shown.length} of ${plural(all, "item")}`;
  if (rail.shown.length && !rail.shown.includes(state.at)) open(rail.shown[0], { keep: true });
}

// -- the page ------------------------------------------------------------------------------------

const overview = button("Overview", "o", "All items", () => setOverview(!isOverview()));

function isOverview() {
  return document.body.classList.contains("overview");
}

function setOverview(on) {
  document.body.classList.toggle("overview", on);
  overview.setAttribute("aria-pressed", String(on));
}

document.body.append(
  make(
    "header",
    null,
    make(
      "h1",
      null,
      make("span", { class: "program" }, "dvcs diff"),
      make("span", { class: "revision" }, INDEX.before),
      "→",
      make("span", { class: "revision" }, INDEX.after),
    ),
    ...totals(),
    make("span", { class: "space" }),
    countsButton,
    overview,
    themeButton(),
    button("?", "", "Keys", () => keys.showModal()),
  ),
  INDEX.left_out
    ? make(
        "p",
        { class: "left-out" },
        `${plural(INDEX.left_out, "changed item")} more are not on this page; all are counted. See --max-items.`,
      )
    : "",
  counts,
  make("div", { class: "filters" }, search, labelBox, kindBox, placeBox, count),
  make(
    "main",
    null,
    rail.root,
    make(
      "div",
      { class: "center" },
      heading,
      make("div", { class: "tools" }, mode.root, unchanged.root, captions.root),
      stage.root,
      make(
        "div",
        { class: "legend" },
        ...[
          ["added", "added"],
          ["removed", "removed"],
          ["before", "changed: before"],
          ["after", "changed: after"],
          ["same", "unchanged"],
        ].map(([role, text]) => make("span", { class: role }, text)),
      ),
    ),
    panel,
  ),
  keys,
);

listenForKeys({
  j: () => open(rail.beside(1)),
  k: () => open(rail.beside(-1)),
  ArrowDown: () => open(rail.beside(1)),
  ArrowUp: () => open(rail.beside(-1)),
  n: () => step(1),
  p: () => step(-1),
  1: () => mode.set("before"),
  2: () => mode.set("after"),
  3: () => mode.set("both"),
  b: () => mode.set(mode.value === "blink" ? "both" : "blink"),
  " ": () => mode.set(mode.value === "before" ? "after" : "before"),
  s: () => mode.set(mode.value === "side" ? "both" : "side"),
  u: () => unchanged.flip(),
  c: () => captions.flip(),
  "+": () => stage.zoom(1.4),
  "=": () => stage.zoom(1.4),
  "-": () => stage.zoom(1 / 1.4),
  0: () => stage.fit(),
  o: () => overview.click(),
  Escape: () => setOverview(false),
  t: () => countsButton.click(),
  "/": () => search.focus(),
  "?": () => keys.showModal(),
});

refilter("text", "");
const wanted = Number(location.hash.slice(1)) - 1;
if (INDEX.items.length) open(INDEX.items[wanted] ? wanted : 0);
else stage.root.replaceChildren(make("p", { class: "nothing" }, "Nothing differs."));
