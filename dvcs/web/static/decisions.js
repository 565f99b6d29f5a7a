// What was decided about each conflict, and the file that `dvcs resolve --from` takes. A value is kept
// as JSON text, just as it was shown or typed: numbers of a browser would make 1.0 into 1.

const CHOICES = {
  ours: ["Ours", "o"],
  theirs: ["Theirs", "t"],
  base: ["Base", "b"],
  union: ["Both", "u"],
  value: ["Value", "v"],
};
const FILE = "decisions.json";

// By item, then by key: {choice, value}.
const decisions = INDEX.items.map((item) => ({ ...item.decided }));

function total() {
  return INDEX.items.reduce((sum, item) => sum + item.keys.length, 0);
}

function decided() {
  return decisions.reduce((sum, some) => sum + Object.keys(some).length, 0);
}

// Decisions survive a reload where the browser lets pages from a disk remember anything.
function remember() {
  try {
    localStorage.setItem(INDEX.key, JSON.stringify(decisions));
  } catch {
    // They are in this page until it is closed, and in the file once it is saved.
  }
}

function recall() {
  let kept = null;
  try {
    kept = JSON.parse(localStorage.getItem(INDEX.key));
  } catch {
    return;
  }
  if (!Array.isArray(kept) || kept.length !== INDEX.items.length) return;
  kept.forEach((some, at) => {
    for (const [key, one] of Object.entries(some || {})) {
      if (INDEX.items[at].keys.includes(key) && one && held(CHOICES, one.choice))
        decisions[at][key] = one;
    }
  });
}

// The file: written by hand around the values, which go in as the text they are.
function decisionsText() {
  const places = [];
  INDEX.items.forEach((item, at) => {
    const conflicts = item.keys
      .filter((key) => decisions[at][key])
      .map((key) => {
        const { choice, value } = decisions[at][key];
        const given = choice === "value" ? `, "value": ${value}` : "";
        return `    {"key": ${JSON.stringify(key)}, "choice": "${choice}"${given}}`;
      });
    if (!conflicts.length) return;
    const where = ["source", "subset", "id"].map(
      (name) => `"${name}": ${JSON.stringify(item[name])}`,
    );
    places.push(`  {${where.join(", ")}, "conflicts": [\n${conflicts.join(",\n")}\n  ]}`);
  });
  return `{"dvcs.conflicts/1": [\n${places.join(",\n")}\n]}\n`;
}

function save() {
  const address = URL.createObjectURL(new Blob([decisionsText()], { type: "application/json" }));
  const link = make("a", { href: address, download: FILE });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
  said.textContent = `saved; now: dvcs resolve --from ${FILE}`;
}

async function copy() {
  const text = decisionsText();
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = make("textarea", { class: "aside" });
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  said.textContent = "copied";
}
