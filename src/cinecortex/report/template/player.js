"use strict";
// Every panel draws the frame of one clock, in one animation callback. Texts enter the page as text, never as markup.
(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const DASHES = ["none", "6 2", "2 2", "8 2 2 2", "4 4", "1 3"];
  const byId = (id) => document.getElementById(id);
  const data = JSON.parse(byId("player-data").textContent);
  const player = byId("player"), scrub = byId("scrub"), playButton = byId("play"), chooser = byId("clip");
  const state = { clip: 0, frame: 0, panels: [], readings: [], playing: false, request: 0, origin: null, load: 0 };
  const current = () => data.clips[state.clip];

  function element(tag, attributes, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children);
    return made;
  }

  function drawing(tag, attributes) {
    const made = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    return made;
  }

  // ---- movies -------------------------------------------------------------------------------------------------
  async function unpack(panel, clip) {
    const packed = Uint8Array.from(atob(byId(panel.movie).textContent), (c) => c.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
    const pixels = new Uint8Array(await new Response(stream).arrayBuffer());
    const size = clip.height * clip.width;
    if (pixels.length !== size * clip.frames) throw new Error(`a movie of ${clip.label} has the wrong length`);
    if (panel.coding === "both") for (let i = 0; i < pixels.length; i++) if (i % clip.width) pixels[i] += pixels[i - 1];
    if (panel.coding !== "plain") for (let i = size; i < pixels.length; i++) pixels[i] += pixels[i - size];
    return pixels;
  }

  function makePanel(panel, pixels, clip) {
    const canvas = element("canvas", {
      width: clip.width, height: clip.height, role: "img",
      "aria-label": `${panel.title}, ${clip.label}${data.simulated ? ", simulated" : ""}`,
    });
    const screen = element("div", { class: "screen" }, canvas);
    if (data.outline) {
      const view = drawing("svg", { viewBox: `0 0 ${clip.width} ${clip.height}`, class: "outline", "aria-hidden": "true" });
      view.append(drawing("path", { d: data.outline, class: "under" }), drawing("path", { d: data.outline, class: "over" }));
      screen.append(view);
    }
    const caption = element("figcaption", {}, element("span", { class: "panel-title" }, panel.title));
    const note = element("span", { class: "panel-note" });
    if (data.simulated) note.append(element("span", { class: "tag simulated" }, "simulated"), " ");
    note.append(panel.note);
    caption.append(note);
    const context = canvas.getContext("2d", { willReadFrequently: true });
    const image = context.createImageData(clip.width, clip.height);
    return {
      title: panel.title, frame: -1, canvas, pixels, context, image,
      words: new Uint32Array(image.data.buffer), figure: element("figure", { class: "panel" }, screen, caption),
    };
  }

  function paint(panel, frame) {
    const size = panel.words.length, offset = frame * size;
    for (let i = 0; i < size; i++) panel.words[i] = 0xff000000 | (panel.pixels[offset + i] * 0x010101);
    panel.context.putImageData(panel.image, 0, 0);
    panel.frame = frame;
  }

  // ---- the clock ----------------------------------------------------------------------------------------------
  function draw(frame) {
    const clip = current();
    state.frame = Math.min(Math.max(Math.trunc(frame), 0), clip.frames - 1);
    for (const panel of state.panels) paint(panel, state.frame);
    const seconds = (state.frame / clip.rate).toFixed(2);
    scrub.value = state.frame;
    scrub.setAttribute("aria-valuetext", `frame ${state.frame}, ${seconds} seconds`);
    const wide = String(clip.frames - 1).length;
    byId("counter").textContent = `frame ${String(state.frame).padStart(wide, "\u2007")} of 0\u2013${clip.frames - 1} \u00b7 ${seconds} s`;
    for (const read of state.readings) read();
  }

  function showFrame(frame) {
    state.origin = null;
    draw(frame);
  }

  function tick(now) {
    if (!state.playing) return;
    const clip = current();
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
    if (state.playing) return;
    if (state.frame === current().frames - 1) draw(0);
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

  // ---- traces -------------------------------------------------------------------------------------------------
  const number = (value) => (value === null ? "\u2013" : value.toFixed(2).replace("-", "\u2212"));
  const look = (index) => `stroke: var(--series-${(index % 6) + 1}); stroke-dasharray: ${DASHES[index % 6]}`;

  // Traces of one quantity share one axis: two scales side by side would make unequal methods look equal.
  function makeChart(quantity, traces, clip) {
    const known = traces.flatMap((trace) => trace.values).filter((value) => value !== null);
    const high = Math.max(...known, 0), low = Math.min(...known, 0), last = Math.max(clip.frames - 1, 1);
    const y = (value) => 2 + (36 * (high - value)) / (high - low || 1);
    const view = drawing("svg", { viewBox: `0 0 ${last} 40`, preserveAspectRatio: "none", "aria-hidden": "true" });
    const head = drawing("line", { x1: 0, x2: 0, y1: 0, y2: 40, class: "playhead" });
    const legend = element("p", {}, element("b", {}, quantity));
    view.append(drawing("line", { x1: 0, x2: last, y1: y(0), y2: y(0), class: "zero" }));
    traces.forEach((trace, index) => {
      let path = "", pen = "M";
      trace.values.forEach((value, i) => {
        if (value !== null) path += `${pen}${i} ${y(value).toFixed(2)}`;
        pen = value === null ? "M" : "L";
      });
      view.append(drawing("path", { d: path, class: "line", style: look(index) }));
      const swatch = drawing("svg", { viewBox: "0 0 24 4", class: "swatch", "aria-hidden": "true" });
      swatch.append(drawing("path", { d: "M0 2H24", style: look(index) }));
      const reading = element("span", { class: "reading" });
      legend.append(element("span", {}, swatch, `${trace.title} `, reading));
      state.readings.push(() => { reading.textContent = number(trace.values[state.frame]); });
    });
    legend.append(element("span", { class: "scale" }, known.length ? `axis ${number(low)} to ${number(high)}` : "no value"));
    view.append(head);
    view.addEventListener("pointerdown", (event) => {
      const box = view.getBoundingClientRect();
      showFrame(Math.round(((event.clientX - box.left) / box.width) * last));
    });
    state.readings.push(() => { head.setAttribute("x1", state.frame); head.setAttribute("x2", state.frame); });
    return element("div", { class: "trace" }, legend, view);
  }

  // ---- clips --------------------------------------------------------------------------------------------------
  async function chooseClip(index) {
    const clip = data.clips[index], load = ++state.load;
    pause();
    const movies = await Promise.all(clip.panels.map((panel) => unpack(panel, clip)));
    if (load !== state.load) return; // another clip was chosen meanwhile
    state.clip = index;
    chooser.value = index;
    state.panels = clip.panels.map((panel, i) => makePanel(panel, movies[i], clip));
    byId("panels").replaceChildren(...state.panels.map((panel) => panel.figure));
    state.readings = [];
    const quantities = [...new Set(clip.traces.map((trace) => trace.quantity))];
    byId("traces").replaceChildren(...quantities.map((quantity) =>
      makeChart(quantity, clip.traces.filter((trace) => trace.quantity === quantity), clip)));
    scrub.max = clip.frames - 1;
    const seen = byId("seen");
    seen.textContent = clip.unseen ? "unseen in training" : "SEEN in training";
    seen.classList.toggle("warning", !clip.unseen);
    byId("clip-scores").replaceChildren(clip.scores.length ? `${clip.scoreName}:` : "",
      ...clip.scores.map(([name, value]) => element("span", {}, `${name} `, element("b", {}, value))));
    byId("burn-in").style.width = `${(100 * clip.burnIn) / Math.max(clip.frames - 1, 1)}%`;
    byId("burn-in-hint").textContent = clip.burnIn
      ? `The first ${clip.burnIn} frames (hatched) enter no score: the encoder cannot know what was shown before them.` : "";
    layOut();
    showFrame(clip.burnIn);
  }

  // Whole device pixels per movie pixel, so that nothing is smoothed and every pixel has the same size.
  function layOut() {
    const clip = current(), room = byId("panels").clientWidth, number = state.panels.length;
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

  // ---- controls -----------------------------------------------------------------------------------------------
  function onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const target = event.target, inside = player.contains(target);
    if (!inside && target !== document.body) return;
    // Buttons, boxes and lists keep their own keys.
    if (target.matches("select") || (event.key === " " && target.matches("button, input[type=checkbox]"))) return;
    const many = event.shiftKey ? 10 : 1;
    const action = {
      " ": () => (state.playing ? pause() : play()),
      ArrowLeft: () => step(-many),
      ArrowRight: () => step(many),
      // Outside the player these two belong to the page.
      Home: inside && (() => { pause(); showFrame(0); }),
      End: inside && (() => { pause(); showFrame(current().frames - 1); }),
    }[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  }

  data.clips.forEach((clip, i) => {
    chooser.append(element("option", { value: i }, `${clip.label} \u00b7 trial ${clip.trial}${clip.unseen ? "" : " \u00b7 seen in training"}`));
  });
  chooser.addEventListener("change", () => chooseClip(Number(chooser.value)).catch(fail));
  playButton.addEventListener("click", () => (state.playing ? pause() : play()));
  byId("back").addEventListener("click", () => step(-1));
  byId("forward").addEventListener("click", () => step(1));
  byId("speed").addEventListener("change", () => { state.origin = null; });
  scrub.addEventListener("input", () => showFrame(Number(scrub.value)));
  byId("outline-option").hidden = !data.outline;
  byId("outline").addEventListener("change", (e) => player.classList.toggle("plain", !e.target.checked));
  document.addEventListener("keydown", onKey);
  new ResizeObserver(layOut).observe(byId("panels"));

  function fail(error) {
    byId("trouble").textContent = `The movies could not be shown (${error.message}). Please open this file in a current browser.`;
    byId("trouble").hidden = false;
  }

  player.hidden = false;
  window.cinecortex = {
    ready: chooseClip(0).catch(fail), showFrame, play, pause, chooseClip,
    currentFrame: () => state.frame,
    clip: () => state.clip,
    playing: () => state.playing,
    panels: () => state.panels.map(({ title, frame, canvas }) => ({ title, frame, canvas })),
  };
})();
