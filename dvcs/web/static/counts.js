// The numbers of the whole comparison: in the bar, and by label.

function labelTable() {
  const most = Math.max(1, ...INDEX.labels.map((one) => one.added + one.removed + one.changed));
  const rows = INDEX.labels.map((one) => {
    const parts = ["added", "removed", "changed"];
    const bar = make("div", { class: "bar" }, ...parts.map((part) => make("i", { class: part })));
    parts.forEach((part, at) => (bar.children[at].style.width = `${(100 * one[part]) / most}%`));
    return make(
      "tr",
      {
        onclick: () => {
          labelBox.value = one.name;
          refilter("label", one.name);
          setCounts(false);
        },
      },
      make("th", null, one.name || make("i", null, "(no label)")),
      ...parts.map((part) =>
        make(
          "td",
          { class: one[part] ? part : "dim" },
          one[part] ? SIGNS[part] + COUNT.format(one[part]) : "·",
        ),
      ),
      make("td", null, bar),
    );
  });
  return make(
    "section",
    { class: "counts-panel", hidden: true },
    ...INDEX.notes.map((note) => make("p", null, note)),
    make(
      "table",
      { class: "labels" },
      make(
        "tr",
        null,
        ...["label", "added", "removed", "changed", ""].map((one) => make("th", null, one)),
      ),
      ...rows,
    ),
  );
}

const counts = labelTable();
const countsButton = button("Labels", "t", "Counts per label", () => setCounts(counts.hidden));

function setCounts(on) {
  counts.hidden = !on;
  countsButton.setAttribute("aria-pressed", String(on));
}

function totals() {
  const { items, annotations } = INDEX.totals;
  const parts = Object.entries(items)
    .filter(([, number]) => number)
    .map(([name, number]) => make("span", { class: name }, `${COUNT.format(number)} ${name}`));
  const notes = ["added", "removed", "changed"].map((name) =>
    make("span", { class: name }, `${SIGNS[name]}${COUNT.format(annotations[name])}`),
  );
  return [
    make("span", { class: "total" }, make("b", null, "items"), ...parts),
    make("span", { class: "total" }, make("b", null, "annotations"), ...notes),
  ];
}
