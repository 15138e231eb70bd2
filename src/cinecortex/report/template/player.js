// Every panel draws the frame of one clock, in one animation callback.
const player = byId("player"), scrub = byId("scrub"), playButton = byId("play"), chooser = byId("clip"), timeline = byId("timeline");
const state = { index: 0, clip: null, frame: 0, panels: [], readings: [], playing: false, request: 0, origin: null, load: 0 };

// ---- the clock --------------------------------------------------------------------------------------------------
function draw(frame) {
  const { clip } = state;
  if (!clip) return;
  state.frame = Math.min(Math.max(Math.trunc(frame), 0), clip.frames - 1);
  for (const panel of state.panels) paint(panel, state.frame);
  const seconds = (state.frame / clip.rate).toFixed(2);
  scrub.value = state.frame;
  scrub.setAttribute("aria-valuetext", `frame ${state.frame}, ${seconds} seconds`);
  const wide = String(clip.frames - 1).length;
  byId("counter").textContent = `frame ${String(state.frame).padStart(wide, "\u2007")} of 0\u2013${clip.frames - 1} \u00b7 ${seconds} s`;
  timeline.style.setProperty("--now", (state.frame + 0.5) / clip.frames);
  for (const read of state.readings) read(state.frame);
}

function showFrame(frame) {
  state.origin = null;
  draw(frame);
}

function tick(now) {
  if (!state.playing) return;
  const { clip } = state;
  state.origin ??= { time: now, frame: state.frame };
  const passed = ((now - state.origin.time) / 1000) * clip.rate * Number(byId("speed").value);
  // The hair's breadth keeps rounding from holding a frame back when the display runs at a multiple of the movie.
  const next = state.origin.frame + Math.floor(passed + 1e-3);
  if (next >= clip.frames && !byId("loop").checked) {
    draw(clip.frames - 1);
    pause();
    return;
  }
  if (next % clip.frames !== state.frame) draw(next % clip.frames);
  state.request = requestAnimationFrame(tick);
}

function play() {
  if (state.playing || !state.clip) return;
  if (state.frame === state.clip.frames - 1) draw(0);
  state.playing = true;
  state.origin = null;
  playButton.textContent = "Pause";
  playButton.setAttribute("aria-pressed", "true");
  state.request = requestAnimationFrame(tick);
}

function pause() {
  state.playing = false;
  cancelAnimationFrame(state.request);
  playButton.textContent = "Play";
  playButton.setAttribute("aria-pressed", "false");
}

function step(frames) {
  pause();
  showFrame(state.frame + frames);
}

// ---- clips ------------------------------------------------------------------------------------------------------
async function chooseClip(index) {
  const load = ++state.load;
  pause();
  chooser.value = index;
  player.setAttribute("aria-busy", "true");
  try {
    const entry = data.clips[index], clip = await readClip(index);
    const panels = await Promise.all(clip.panels.map((panel) => makePanel(panel, clip, entry.label)));
    const { lanes, readings } = await makeLanes(clip);
    if (load !== state.load) return; // another clip was chosen meanwhile
    // Nothing else holds on to the movies shown before, so they are let go here.
    Object.assign(state, { index, clip: { ...clip, movies: null }, panels, readings });
    show(entry, lanes);
  } catch (error) {
    if (load !== state.load) return;
    chooser.value = state.index;
    fail(error);
  } finally {
    if (load === state.load) player.removeAttribute("aria-busy");
  }
}

function show(entry, lanes) {
  const { clip, panels } = state;
  byId("trouble").hidden = true;
  byId("panels").replaceChildren(...panels.map((panel) => panel.figure));
  byId("lanes").replaceChildren(...lanes);
  scrub.max = clip.frames - 1;
  timeline.style.setProperty("--frames", clip.frames);
  timeline.style.setProperty("--burn-in", clip.burnIn / clip.frames);
  tell(entry);
  byId("burn-in-hint").textContent = clip.burnIn
    ? `The first ${clip.burnIn} frames (hatched) enter no score: the encoder cannot know what was shown before them.` : "";
  byId("match-option").hidden = !panels.some((panel) => panel.matching);
  matchPanels();
  layOut();
  showFrame(clip.burnIn);
}

function tell(entry) {
  const seen = byId("seen"), standing = byId("standing");
  seen.textContent = entry.unseen ? "unseen in training" : "SEEN in training";
  seen.classList.toggle("warning", !entry.unseen);
  standing.hidden = !entry.standing;
  if (entry.standing) {
    const { word, among, measure } = entry.standing;
    standing.textContent = `${word} of ${among}${entry.group ? ` (${entry.group})` : ""} by ${measure}`;
  }
  byId("clip-scores").replaceChildren(entry.scores.length ? `${entry.scoreName}:` : "",
    ...entry.scores.map(([name, value]) => element("span", {}, `${name} `, element("b", {}, value))));
  byId("earlier").disabled = state.index === 0;
  byId("later").disabled = state.index === data.clips.length - 1;
}

function matchPanels() {
  for (const panel of state.panels) matchContrast(panel, byId("match").checked);
}

// Whole device pixels per movie pixel, so that nothing is smoothed and every pixel has the same size.
function layOut() {
  const { clip } = state, room = byId("panels").clientWidth, number = state.panels.length;
  if (!room || !number) return;
  const most = room >= 860 ? 4 : room >= 520 ? 3 : 2;
  const columns = Math.ceil(number / Math.ceil(number / most));
  const gap = room >= 520 ? 20 : 12, ratio = window.devicePixelRatio || 1;
  const width = Math.min((room - gap * (columns - 1)) / columns, (0.6 * window.innerHeight * clip.width) / clip.height);
  const scale = Math.max(1, Math.floor((width * ratio) / clip.width)) / ratio;
  byId("panels").style.setProperty("--panel-width", `${scale * clip.width}px`);
  byId("panels").style.setProperty("--columns", columns);
  byId("panels").style.setProperty("--gap", `${gap}px`);
}

// ---- controls ---------------------------------------------------------------------------------------------------
function move(clips) {
  const next = state.index + clips;
  if (next >= 0 && next < data.clips.length) chooseClip(next);
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || !state.clip) return;
  const target = event.target, inside = player.contains(target);
  if (!inside && target !== document.body) return;
  // Buttons, boxes and lists keep their own keys.
  if (target.matches("select") || (event.key === " " && target.matches("button, input[type=checkbox]"))) return;
  const many = event.shiftKey ? 10 : 1;
  const action = {
    " ": () => (state.playing ? pause() : play()),
    ArrowLeft: () => step(-many),
    ArrowRight: () => step(many),
    // Outside the player these belong to the page.
    Home: inside && (() => { pause(); showFrame(0); }),
    End: inside && (() => { pause(); showFrame(state.clip.frames - 1); }),
    PageUp: inside && (() => move(-1)),
    PageDown: inside && (() => move(1)),
  }[event.key];
  if (!action) return;
  event.preventDefault();
  action();
}

function seek(event) {
  const plot = event.target.closest(".plot");
  if (!plot || !(event.buttons & 1)) return;
  const box = plot.getBoundingClientRect();
  showFrame(Math.floor(((event.clientX - box.left) / box.width) * state.clip.frames));
}

function fillChooser() {
  const groups = new Map();
  data.clips.forEach((clip, i) => {
    if (!groups.has(clip.group)) groups.set(clip.group, clip.group ? element("optgroup", { label: clip.group }) : chooser);
    const words = [clip.label, `trial ${clip.trial}`, clip.standing?.word, clip.unseen ? "" : "seen in training"];
    groups.get(clip.group).append(element("option", { value: i }, words.filter(Boolean).join(" \u00b7 ")));
  });
  chooser.append(...[...groups.values()].filter((group) => group !== chooser));
}

function fail(error) {
  byId("trouble").textContent = `The movies could not be shown: ${error.message}. The page needs a current browser.`;
  byId("trouble").hidden = false;
}

fillChooser();
chooser.addEventListener("change", () => chooseClip(Number(chooser.value)));
byId("earlier").addEventListener("click", () => move(-1));
byId("later").addEventListener("click", () => move(1));
playButton.addEventListener("click", () => (state.playing ? pause() : play()));
byId("back").addEventListener("click", () => step(-1));
byId("forward").addEventListener("click", () => step(1));
byId("speed").addEventListener("change", () => { state.origin = null; });
scrub.addEventListener("input", () => showFrame(Number(scrub.value)));
byId("lanes").addEventListener("pointerdown", seek);
byId("lanes").addEventListener("pointermove", seek);
byId("outline-option").hidden = !data.outline;
byId("outline").addEventListener("change", (event) => player.classList.toggle("plain", !event.target.checked));
byId("match").addEventListener("change", () => { matchPanels(); draw(state.frame); });
document.addEventListener("keydown", onKey);
new ResizeObserver(layOut).observe(byId("panels"));
byId("clip-choice").hidden = data.clips.length < 2;
player.hidden = false;
window.cinecortex = {
  deliver, showFrame, play, pause, chooseClip,
  ready: chooseClip(0),
  currentFrame: () => state.frame,
  clip: () => state.index,
  playing: () => state.playing,
  panels: () => state.panels.map(({ title, frame, canvas }) => ({ title, frame, canvas })),
};
