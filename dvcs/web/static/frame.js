// What both pages have around the picture: bar, buttons with keys, help, light and dark.

function button(text, key, title, onclick) {
  const keycap = key ? make("kbd", null, key) : null;
  return make("button", { type: "button", title, onclick }, text, keycap);
}

// Buttons of which one is pressed: choices are [value, text, key, title].
class Choice {
  constructor(choices, value, changed) {
    this.value = value;
    this.changed = changed;
    this.buttons = new Map(
      choices.map(([one, text, key, title]) => [
        one,
        button(text, key, title, () => this.set(one)),
      ]),
    );
    this.root = make("div", { class: "choice", role: "group" }, ...this.buttons.values());
    this.show();
  }

  set(value) {
    this.value = value;
    this.show();
    this.changed(value);
  }

  show() {
    for (const [value, one] of this.buttons) {
      one.setAttribute("aria-pressed", String(value === this.value));
    }
  }
}

class Toggle {
  constructor(text, key, title, on, changed) {
    this.on = on;
    this.changed = changed;
    this.root = button(text, key, title, () => this.flip());
    this.show();
  }

  flip() {
    this.on = !this.on;
    this.show();
    this.changed(this.on);
  }

  show() {
    this.root.setAttribute("aria-pressed", String(this.on));
  }
}

function selection(title, options, changed) {
  const select = make("select", {
    title,
    "aria-label": title,
    onchange: () => changed(select.value),
  });
  for (const [value, text] of [["", title], ...options]) {
    select.append(make("option", { value }, text));
  }
  return select;
}

function help(keys) {
  const rows = keys.map(([key, what]) =>
    make(
      "tr",
      null,
      make("th", null, ...key.split(" ").map((one) => make("kbd", null, one))),
      make("td", null, what),
    ),
  );
  const dialog = make(
    "dialog",
    { class: "help", onclick: () => dialog.close() },
    make("h2", null, "Keys"),
    make("table", null, ...rows),
    make("p", { class: "dim" }, "Wheel: zoom; drag: move; double click: the whole picture."),
  );
  return dialog;
}

function themeButton() {
  return button("◐", "", "Light or dark", () => {
    const { dataset } = document.documentElement;
    const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
    dataset.theme = (dataset.theme || system) === "dark" ? "light" : "dark";
  });
}

// Calls what stands in `actions` by key, unless something is being typed.
function listenForKeys(actions) {
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && isTyping(event)) event.target.blur();
    if (isTyping(event) || event.ctrlKey || event.metaKey || event.altKey) return;
    const action = actions[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  });
}

// Text that may be long: its beginning, and the rest on demand.
function longText(text, most = 400) {
  if (text.length <= most) return make("span", { class: "text" }, text);
  const whole = make("span", { class: "text" }, `${text.slice(0, most)}… `);
  whole.append(button("all of it", "", "", () => whole.replaceChildren(text)));
  return whole;
}

// What a pane needs of an item; where nobody knows its size, that is what is around its annotations.
function sceneOf(item, notes, skeletons) {
  const { picture, why, size } = item;
  const scene = { picture, why, skeletons, size, blank: false };
  if (size) return scene;
  const box = around(notes.map(boundsOf));
  if (!box) return { ...scene, size: [100, 100], blank: true };
  const [height, width] = [(box.y + box.h) * 1.05, (box.x + box.w) * 1.05];
  return { ...scene, size: [Math.max(1, height), Math.max(1, width)] };
}
