// What changed in one item, as a list beside the picture: a line lights up its shapes, and they it.

const SIGNS = { added: "+", removed: "−", changed: "~", moved: "→", renamed: "→" };

function fillPanel() {
  const { item } = state;
  heading.replaceChildren(
    make("span", { class: `badge ${item.status}` }, item.status),
    make("span", { class: "item-name" }, item.name),
    item.previous === null ? "" : make("span", { class: "dim" }, `was ${item.previous}`),
  );
  const rows = item.changes.map((change, row) =>
    make(
      "li",
      {
        class: change.status,
        "data-row": row,
        tabindex: 0,
        onclick: () => choose(row),
        onkeydown: (event) => event.key === "Enter" && choose(row),
        onpointerenter: () => stage.light(row),
        onpointerleave: () => stage.light(null),
      },
      make("span", { class: "sign" }, SIGNS[change.status]),
      make("div", null, longText(change.text), table(change.fields)),
    ),
  );
  panel.replaceChildren(
    item.fields.length ? make("h2", null, "The item itself") : "",
    table(item.fields) || "",
    rows.length ? make("h2", null, plural(rows.length, "annotation")) : "",
    make("ol", { class: "changes" }, ...rows),
    make(
      "p",
      { class: "dim" },
      item.same.length ? `${plural(item.same.length, "annotation")} unchanged` : "",
    ),
  );
  panel.scrollTop = 0;
}

function table(fields) {
  if (!fields.length) return null;
  const value = (text, role) =>
    text === null
      ? make("i", { class: "dim" }, "none")
      : make("bdi", { class: role }, longText(text));
  return make(
    "table",
    { class: "fields" },
    ...fields.map(([name, old, now]) =>
      make(
        "tr",
        null,
        make("th", null, name.replace(/^attributes\./, "")),
        make("td", null, value(old, "old"), " → ", value(now, "new")),
      ),
    ),
  );
}

function rowElement(row) {
  return panel.querySelector(`li[data-row="${row}"]`);
}

function lightRow(row) {
  for (const one of panel.querySelectorAll("li.lit")) one.classList.remove("lit");
  if (row !== null) rowElement(row).classList.add("lit");
}

function choose(row, { scroll = false } = {}) {
  for (const one of panel.querySelectorAll("li.chosen")) one.classList.remove("chosen");
  state.row = row;
  const change = state.item.changes[row];
  rowElement(row).classList.add("chosen");
  rowElement(row).scrollIntoView({ block: "nearest" });
  if (!scroll) {
    stage.focus(around([change.before, change.after].filter(Boolean).map(boundsOf)));
  }
  stage.light(row);
}

function step(by) {
  if (!state.item || !state.item.changes.length) return;
  const next = state.row === null ? (by > 0 ? 0 : state.item.changes.length - 1) : state.row + by;
  if (next >= 0 && next < state.item.changes.length) choose(next);
}
