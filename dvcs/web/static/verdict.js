// One conflict in the list: what both sides say, the choices, and the field for another value.

// What a conflict's values are called; of a vote, ours is the first voter's, theirs the others'.
const VALUES = ["base", "ours", "theirs"];
const NAMED = new Set(["label", "label-deleted", "label-name"]);

// Whether the value of a conflict is the name of a label.
function isName({ kind, field }) {
  return NAMED.has(kind) || (kind === "vote" && field === "label");
}

// Whether what too few have drawn is there at all: nobody's (the base) is without it.
const KEPT_OR_NOT = { base: "Drop", union: "Keep" };

function isPresence({ kind, field }) {
  return kind === "vote" && field === "presence";
}

function conflictElement(conflict, row) {
  const { key, allowed, texts } = conflict;
  const decision = decisions[state.at][key];
  const sides = VALUES.filter((side) => texts[side] !== null || conflict.kind === "deleted");
  const element = make(
    "section",
    {
      class: `conflict${decision ? " decided" : ""}${row === state.current ? " current" : ""}`,
      onclick: (event) => event.target.closest("button, textarea, input") || select(row, true),
    },
    make(
      "h3",
      null,
      conflict.labels.length ? `${conflict.labels.join(", ")}: ` : "",
      conflict.what,
    ),
    make("div", { class: "dim" }, `#${key}`),
    make(
      "table",
      { class: "sides" },
      ...sides.map((side) =>
        make(
          "tr",
          null,
          make("th", conflict.kind === "vote" ? null : { class: side }, side),
          make("td", null, sideText(conflict, side)),
        ),
      ),
      ...["have", "lack"]
        .filter((name) => conflict[name].length)
        .map((name) =>
          make(
            "tr",
            { class: "voters" },
            make("th", null, name),
            make("td", null, ...conflict[name].flatMap(votersName)),
          ),
        ),
    ),
  );
  const buttons = allowed.map((choice) => {
    const [name, letter] = CHOICES[choice];
    const text = isPresence(conflict) && choice in KEPT_OR_NOT ? KEPT_OR_NOT[choice] : name;
    const one = button(text, letter, `Decide: ${choice}`, () => decide(row, choice));
    one.setAttribute("aria-pressed", String(Boolean(decision) && decision.choice === choice));
    return one;
  });
  element.append(make("div", { class: "choices" }, ...buttons));
  if (allowed.includes("value")) element.append(valueField(conflict, row, decision));
  return element;
}

// A voter's name behind its colour; but for the first, after a comma.
function votersName(name, at) {
  const side = INDEX.sides.find((one) => one.name === name && one.id !== "base");
  return [at ? ", " : "", make("span", { class: side ? side.role : "" }, name)];
}

function sideText(conflict, side) {
  const text = conflict.texts[side];
  if (text === null) return make("i", { class: "dim" }, "not there");
  if (conflict.kind === "caption") return longText(shownValue(conflict, text));
  return longText(text.replace(/^\{"type": "(\w+)", /, "$1 {"), 300);
}

// A name is typed as it is, a caption as its text, all else as JSON.
function valueField(conflict, row, decision) {
  const wrong = make("div", { class: "wrong", hidden: true });
  const start = decision && decision.choice === "value" ? decision.value : conflict.start || "";
  const named = isName(conflict);
  const attributes = {
    class: "value",
    "aria-label": "Another value",
    hidden: !(decision && decision.choice === "value"),
    onkeydown: (event) => {
      if (event.key === "Enter" && !event.shiftKey) {
        event.preventDefault();
        apply();
      }
    },
  };
  const field = named
    ? make("input", { ...attributes, list: "names" })
    : make("textarea", attributes);
  field.value = shownValue(conflict, start);
  const use = button("Use this value", "", "Enter does it too", apply);
  use.hidden = field.hidden;
  const box = make("div", { class: "value-box" }, field, use, wrong);

  function apply() {
    const text = valueText(conflict, field.value);
    wrong.hidden = text !== null;
    wrong.textContent = 'this is no JSON: a text needs quotes, like "cat"';
    if (text === null) return;
    field.blur();
    settle(row, { choice: "value", value: text });
  }
  return box;
}

function shownValue(conflict, text) {
  if (!text) return "";
  const value = JSON.parse(text);
  if (isName(conflict)) return typeof value === "string" ? value : (value && value.name) || "";
  return conflict.kind === "caption" ? value.caption : text;
}

// The JSON of what was typed, null where it is none.
function valueText(conflict, typed) {
  if (conflict.field === "label" && typed === "") return "null";
  if (isName(conflict)) return JSON.stringify(typed);
  if (conflict.kind === "caption") return JSON.stringify({ type: "caption", caption: typed });
  try {
    JSON.parse(typed);
    return typed;
  } catch {
    return null;
  }
}
