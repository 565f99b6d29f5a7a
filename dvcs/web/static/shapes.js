// Annotations as SVG, in the pixels of the image: what a box says stands in the `rect` as it is.

const MASK_SIDE = 1024; // pixels beyond which a mask is drawn from every second, third, ... one
const MASK_DOTS = 6;
const MASK_PIXELS = 2 ** 28;

function rotation(note) {
  return note.angle ? `rotate(${note.angle} ${note.cx} ${note.cy})` : null;
}

function ringPath(ring) {
  let path = "";
  for (let at = 0; at + 1 < ring.length; at += 2) {
    path += `${at ? "L" : "M"}${ring[at]} ${ring[at + 1]}`;
  }
  return path && `${path}Z`;
}

function pairs(flat) {
  const found = [];
  for (let at = 0; at + 1 < flat.length; at += 2) found.push([flat[at], flat[at + 1]]);
  return found;
}

const OUTLINES = {
  bbox: (note) => [
    drawn("rect", {
      x: Math.min(note.x, note.x + note.w),
      y: Math.min(note.y, note.y + note.h),
      width: Math.abs(note.w),
      height: Math.abs(note.h),
    }),
  ],
  rotated_bbox: (note) => [
    drawn("rect", {
      x: note.cx - note.w / 2,
      y: note.cy - note.h / 2,
      width: Math.abs(note.w),
      height: Math.abs(note.h),
      transform: rotation(note),
    }),
  ],
  ellipse: (note) => [
    drawn("ellipse", {
      cx: note.cx,
      cy: note.cy,
      rx: Math.abs(note.rx),
      ry: Math.abs(note.ry),
      transform: rotation(note),
    }),
  ],
  // A path for each part: parts are united where they overlap, holes are left out of their part.
  polygon: (note) =>
    note.parts.map((rings) =>
      drawn("path", { d: rings.map(ringPath).join(""), "fill-rule": "evenodd" }),
    ),
  polyline: (note) => [
    drawn("polyline", {
      points: pairs(note.points)
        .map((point) => point.join(","))
        .join(" "),
      class: "open",
    }),
  ],
  points: (note, skeleton) => keypoints(note, skeleton),
};

// Dots are lines of no length with round ends: so they stay as large however far one zooms in.
function keypoints(note, skeleton) {
  const seen = note.visibility || [];
  const places = pairs(note.points);
  const there = (at) => at < places.length && (seen.length === 0 || seen[at] > 0);
  const found = [];
  for (const [a, b] of (skeleton && skeleton.joints) || []) {
    if (!there(a) || !there(b)) continue;
    const [x1, y1] = places[a];
    const [x2, y2] = places[b];
    found.push(drawn("line", { x1, y1, x2, y2, class: "open joint" }));
  }
  places.forEach(([x, y], at) => {
    if (!there(at)) return;
    const hidden = seen[at] === 1;
    const dot = drawn("path", { d: `M${x} ${y}h0`, class: hidden ? "dot hidden" : "dot" });
    dot.dataset.x = x;
    dot.dataset.y = y;
    const name = skeleton && skeleton.keypoints[at];
    if (name) dot.append(drawn("title", null, hidden ? `${name} (hidden)` : name));
    found.push(dot);
  });
  return found;
}

// -- masks ---------------------------------------------------------------------------------------

// COCO's compressed counts: 5 bits a character, from the third run on the difference to two before.
function runsOf(text) {
  const runs = [];
  let at = 0;
  while (at < text.length) {
    let value = 0;
    let shift = 0;
    let code = 32;
    while (code & 32) {
      code = text.charCodeAt(at) - 48;
      at += 1;
      value |= (code & 31) << shift;
      shift += 5;
      if (!(code & 32) && code & 16) value |= -1 << shift;
    }
    if (runs.length > 2) value += runs[runs.length - 2];
    runs.push(value);
  }
  return runs;
}

// {bits, width, height, step}: every step-th pixel both ways, rows from the top.
function bitmap(size, counts) {
  const [height, width] = size;
  if (!(height > 0 && width > 0 && height * width <= MASK_PIXELS)) return null;
  const step = Math.max(1, Math.ceil(Math.max(height, width) / MASK_SIDE));
  const columns = Math.ceil(width / step);
  const rows = Math.ceil(height / step);
  const bits = new Uint8Array(columns * rows);
  let start = 0;
  runsOf(counts).forEach((length, number) => {
    const end = Math.min(start + Math.max(length, 0), height * width);
    if (number % 2 && end > start) {
      for (let x = Math.floor(start / height); x * height < end; x += 1) {
        if (x % step) continue;
        const top = Math.max(start - x * height, 0);
        const bottom = Math.min(end - x * height, height);
        for (let y = Math.ceil(top / step); y * step < bottom; y += 1) {
          bits[y * columns + x / step] = 1;
        }
      }
    }
    start = end;
  });
  return { bits, width: columns, height: rows, step };
}

// The mask in one colour, its edge opaque. Small ones get several dots a pixel, for a thin edge.
function painted(mask, css) {
  const { bits, width, height } = mask;
  const dots = Math.max(1, Math.min(MASK_DOTS, Math.floor(MASK_SIDE / Math.max(width, height))));
  const canvas = make("canvas", { width: width * dots, height: height * dots });
  const context = canvas.getContext("2d");
  context.fillStyle = css;
  context.fillRect(0, 0, 1, 1);
  const [red, green, blue] = context.getImageData(0, 0, 1, 1).data;
  const image = context.createImageData(canvas.width, canvas.height);
  const isSet = (x, y) =>
    x >= 0 &&
    y >= 0 &&
    x < canvas.width &&
    y < canvas.height &&
    bits[Math.floor(y / dots) * width + Math.floor(x / dots)] === 1;
  for (let y = 0; y < canvas.height; y += 1) {
    for (let x = 0; x < canvas.width; x += 1) {
      if (!isSet(x, y)) continue;
      const inside = isSet(x - 1, y) && isSet(x + 1, y) && isSet(x, y - 1) && isSet(x, y + 1);
      image.data.set([red, green, blue, inside ? 80 : 255], (y * canvas.width + x) * 4);
    }
  }
  context.putImageData(image, 0, 0);
  return canvas.toDataURL();
}

function maskPicture(note, role) {
  const mask = bitmap(note.size, note.counts);
  if (!mask) return [];
  return [
    drawn("image", {
      x: 0,
      y: 0,
      width: mask.width * mask.step,
      height: mask.height * mask.step,
      href: painted(mask, color(role)),
      preserveAspectRatio: "none",
      class: "mask",
    }),
  ];
}

// -- all kinds -----------------------------------------------------------------------------------

// A group with the shape twice: a dark line below the coloured one, to be seen on any picture.
function drawing(note, role, skeleton) {
  const group = drawn("g", { class: `shape ${role} ${note.type}` });
  if (note.type === "mask") {
    group.append(...maskPicture(note, role));
    return group;
  }
  const outline = OUTLINES[note.type];
  if (!outline) return null;
  const parts = outline(note, skeleton);
  const casing = drawn("g", { class: "casing" }, ...parts.map((part) => part.cloneNode(false)));
  group.append(casing, drawn("g", { class: "line" }, ...parts));
  return group;
}

function extent(points) {
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const [x, y] of points) {
    left = Math.min(left, x);
    top = Math.min(top, y);
    right = Math.max(right, x);
    bottom = Math.max(bottom, y);
  }
  return left > right ? null : { x: left, y: top, w: right - left, h: bottom - top };
}

// The box around a turned shape; `join` makes one side of what its two half axes reach.
function turned(note, a, b, join) {
  const turn = (note.angle * Math.PI) / 180;
  const [cos, sin] = [Math.abs(Math.cos(turn)), Math.abs(Math.sin(turn))];
  const [w, h] = [join(a * cos, b * sin), join(a * sin, b * cos)];
  return { x: note.cx - w, y: note.cy - h, w: 2 * w, h: 2 * h };
}

function maskExtent(note) {
  const mask = bitmap(note.size, note.counts);
  if (!mask) return null;
  const found = [];
  for (let y = 0; y < mask.height; y += 1) {
    const row = mask.bits.subarray(y * mask.width, (y + 1) * mask.width);
    const first = row.indexOf(1);
    if (first < 0) continue;
    found.push([first * mask.step, y * mask.step]);
    found.push([(row.lastIndexOf(1) + 1) * mask.step, (y + 1) * mask.step]);
  }
  return extent(found);
}

const EXTENTS = {
  bbox: (note) =>
    extent([
      [note.x, note.y],
      [note.x + note.w, note.y + note.h],
    ]),
  rotated_bbox: (note) => turned(note, Math.abs(note.w) / 2, Math.abs(note.h) / 2, (a, b) => a + b),
  ellipse: (note) => turned(note, note.rx, note.ry, Math.hypot),
  polygon: (note) => extent(note.parts.flat().flatMap(pairs)),
  polyline: (note) => extent(pairs(note.points)),
  points: (note) => {
    const seen = note.visibility || [];
    return extent(pairs(note.points).filter((_, at) => seen.length === 0 || seen[at] > 0));
  },
  mask: maskExtent,
};

const extents = new WeakMap();

// The upright box around a shape ({x, y, w, h}), null for what has no place in the image.
function boundsOf(note) {
  if (!extents.has(note)) {
    const measure = EXTENTS[note.type];
    extents.set(note, measure ? measure(note) : null);
  }
  return extents.get(note);
}

function around(boxes) {
  return extent(
    boxes.filter(Boolean).flatMap((box) => [
      [box.x, box.y],
      [box.x + box.w, box.y + box.h],
    ]),
  );
}

function captionOf(note) {
  return note.label === undefined ? note.type : note.label;
}
