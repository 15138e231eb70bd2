// Clips are read when they are chosen, from the page or from a script beside it; movies are unpacked, and drawn.
const GRAY = 128, WEIGHT_BITS = 12;
const waiting = new Map(); // name of a script beside the page -> who waits for what it delivers

function deliver(file, clip) {
  waiting.get(file)?.(clip);
}

function readClip(index) {
  const { file } = data.clips[index];
  if (!file) return Promise.resolve(JSON.parse(byId(`clip-${index}`).textContent));
  return new Promise((resolve, reject) => {
    const script = element("script", { src: data.folder + file });
    const missing = () => {
      script.remove();
      waiting.delete(file);
      reject(new Error(`the file ${decodeURIComponent(data.folder)}${file} is missing; keep that folder beside this page`));
    };
    waiting.set(file, resolve);
    script.onload = missing; // of no effect once the clip was delivered
    script.onerror = missing;
    document.head.append(script);
  });
}

function packedMovie(clip, id) {
  return clip.movies?.[id] ?? { ...data.movies[id], text: byId(id).textContent };
}

async function inflate(text) {
  const packed = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// Two to a byte: numbers below 15 by halves, the others behind all pairs; 0, 1, 2, 3 stand for 0, -1, 1, -2.
function unpair(bytes, length) {
  const residues = new Uint8Array(length);
  let next = (length + 1) >> 1;
  for (let i = 0; i < length; i++) {
    let number = i & 1 ? bytes[i >> 1] & 15 : bytes[i >> 1] >> 4;
    if (number === 15) number = bytes[next++];
    residues[i] = (number >> 1) ^ -(number & 1);
  }
  if (next !== bytes.length) throw new Error("a movie has the wrong length");
  return residues;
}

async function unpack(clip, id, length) {
  const { weights, paired, text } = packedMovie(clip, id);
  const bytes = await inflate(text), residues = paired ? unpair(bytes, length) : bytes;
  if (residues.length !== length) throw new Error("a movie has the wrong length");
  const farthest = Math.max(...weights.map(([distance]) => distance));
  const padded = new Uint8Array(farthest + length), many = weights.length;
  const distance = Int32Array.from(weights, (w) => w[0]), weight = Int32Array.from(weights, (w) => w[1]);
  for (let i = 0, at = farthest; i < length; i++, at++) {
    let sum = 1 << (WEIGHT_BITS - 1);
    for (let k = 0; k < many; k++) sum += weight[k] * padded[at - distance[k]];
    padded[at] = residues[i] + (sum >> WEIGHT_BITS);
  }
  return padded.subarray(farthest);
}

// The levels that give a panel the mean and the spread of the true movie.
function matchedLevels([slope, offset]) {
  return Uint8Array.from({ length: 256 }, (_, level) => Math.min(255, Math.max(0, Math.floor(slope * level + offset + 0.5))));
}

async function makePanel(panel, clip, label) {
  const length = clip.frames * clip.height * clip.width;
  const [pixels, share] = await Promise.all([panel.movie, panel.share].map((id) => id && unpack(clip, id, length)));
  const canvas = element("canvas", {
    width: clip.width, height: clip.height, role: "img",
    "aria-label": `${panel.title}, ${label}${data.simulated ? ", simulated" : ""}`,
  });
  const screen = element("div", { class: "screen" }, canvas);
  if (data.outline) {
    screen.append(drawing("svg", { viewBox: `0 0 ${clip.width} ${clip.height}`, class: "outline", "aria-hidden": "true" },
      drawing("path", { d: data.outline, class: "under" }), drawing("path", { d: data.outline, class: "over" })));
  }
  const matched = element("span", { class: "tag warning matched", hidden: "" }, "contrast matched to the true movie");
  const caption = element("figcaption", {}, element("span", { class: "panel-title" }, panel.title), " ");
  if (data.simulated) caption.append(element("span", { class: "tag simulated" }, "simulated"), " ");
  caption.append(matched);
  for (const line of [panel.note, panel.scale]) if (line) caption.append(element("span", { class: "panel-note" }, line));
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const image = context.createImageData(clip.width, clip.height);
  return {
    title: panel.title, frame: -1, canvas, pixels, share, matched, context, image, levels: null,
    matching: panel.line && matchedLevels(panel.line),
    words: new Uint32Array(image.data.buffer), figure: element("figure", { class: "panel" }, screen, caption),
  };
}

// Contrast is matched in the drawing only, and the panel says so.
function matchContrast(panel, matching) {
  panel.levels = matching ? panel.matching : null;
  panel.matched.hidden = !panel.levels;
}

function paint(panel, frame) {
  const { words, pixels, share, levels } = panel, size = words.length, offset = frame * size;
  for (let i = 0; i < size; i++) {
    let level = pixels[offset + i];
    if (levels) level = levels[level];
    if (share) level = GRAY + Math.floor(((level - GRAY) * share[offset + i] + 127) / 255);
    words[i] = 0xff000000 | (level * 0x010101);
  }
  panel.context.putImageData(panel.image, 0, 0);
  panel.frame = frame;
}
