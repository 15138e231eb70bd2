// What lies under the movies on their time axis: traces, the raster, and seconds.
const DASHES = ["none", "6 2", "2 2", "8 2 2 2", "4 4", "1 3"];
const look = (index) => `stroke: var(--series-${(index % 6) + 1}); stroke-dasharray: ${DASHES[index % 6]}`;

function makeLane(legend, plotted, ...ends) {
  return element("div", { class: "lane" }, element("div", { class: "legend" }, ...legend),
    element("div", { class: "plot" }, plotted), element("div", { class: "ends" }, ...ends));
}

// As many digits as tell a thousandth of the axis, and a true minus sign.
function writer(values) {
  const largest = Math.max(...values.map(Math.abs), 0);
  const digits = largest > 0 ? Math.min(Math.max(2 - Math.floor(Math.log10(largest)), 0), 6) : 2;
  return (value) => (value === null ? "\u2013" : value === 0 ? "0" : value.toFixed(digits).replace("-", "\u2212"));
}

// Traces of one quantity share one axis: two scales side by side would make unequal methods look equal. The axis
// begins at zero unless all values are far from it, and says where it begins and ends.
function makeTraces(quantity, traces, clip, readings) {
  const known = traces.flatMap((trace) => trace.values).filter((value) => value !== null);
  const write = writer(known);
  let high = Math.max(...(known.length ? known : [1])), low = Math.min(...(known.length ? known : [0]));
  if (high - low >= 0.5 * Math.max(Math.abs(high), Math.abs(low))) [high, low] = [Math.max(high, 0), Math.min(low, 0)];
  const y = (value) => (high === low ? 37 : 3 + (34 * (high - value)) / (high - low));
  const view = drawing("svg", { viewBox: `-0.5 0 ${clip.frames} 40`, preserveAspectRatio: "none", "aria-hidden": "true" });
  if (low <= 0 && high >= 0) view.append(drawing("line", { x1: -0.5, x2: clip.frames, y1: y(0), y2: y(0), class: "zero" }));
  const legend = [element("span", { class: "quantity" }, quantity)];
  traces.forEach((trace, index) => {
    let path = "", pen = "M";
    trace.values.forEach((value, i) => {
      if (value !== null) path += `${pen}${i} ${y(value).toFixed(2)}`;
      pen = value === null ? "M" : "L";
    });
    view.append(drawing("path", { d: path, class: "line", style: look(index) }));
    const swatch = drawing("svg", { viewBox: "0 0 24 4", class: "swatch", "aria-hidden": "true" },
      drawing("path", { d: "M0 2H24", style: look(index) }));
    const reading = element("span", { class: "reading" });
    legend.push(element("span", { class: "key" }, swatch, `${trace.title} `, reading));
    readings.push((frame) => { reading.textContent = write(trace.values[frame]); });
  });
  const ends = known.length ? [...new Set([high, low])].map(write) : ["no value"];
  return makeLane(legend, view, ...ends.map((end) => element("span", {}, end)));
}

async function makeRaster(raster, clip) {
  const values = await unpack(clip, raster.movie, clip.frames * raster.rows);
  const canvas = element("canvas", { width: clip.frames, height: raster.rows, class: "raster", role: "img", "aria-label": raster.title });
  canvas.style.height = `${Math.min(Math.max(raster.rows, 48), 128)}px`;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const image = context.createImageData(clip.frames, raster.rows), words = new Uint32Array(image.data.buffer);
  for (let time = 0; time < clip.frames; time++) {
    for (let row = 0; row < raster.rows; row++) {
      words[row * clip.frames + time] = 0xff000000 | ((255 - values[time * raster.rows + row]) * 0x010101);
    }
  }
  context.putImageData(image, 0, 0);
  const legend = [element("span", { class: "quantity" }, raster.title)];
  if (raster.note) legend.push(element("span", { class: "key" }, raster.note));
  return makeLane(legend, canvas);
}

function makeSeconds(clip) {
  const last = (clip.frames - 1) / clip.rate;
  const step = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 60, 300].find((seconds) => last / seconds <= 10) ?? last;
  const marks = [];
  for (let i = 0; i * step <= last; i++) {
    const mark = element("span", {}, `${Number((i * step).toFixed(1))}${i ? "" : " s"}`);
    mark.style.left = `${(100 * (i * step * clip.rate + 0.5)) / clip.frames}%`;
    marks.push(mark);
  }
  return element("div", { class: "lane seconds", "aria-hidden": "true" }, element("div", { class: "legend" }),
    element("div", { class: "marks" }, ...marks));
}

// Everything in its place on the time axis; `readings` are told every frame that is shown.
async function makeLanes(clip) {
  const readings = [], quantities = [...new Set(clip.traces.map((trace) => trace.quantity))];
  const lanes = quantities.map((quantity) =>
    makeTraces(quantity, clip.traces.filter((trace) => trace.quantity === quantity), clip, readings));
  if (clip.raster) lanes.push(await makeRaster(clip.raster, clip));
  return { lanes: [...lanes, makeSeconds(clip)], readings };
}
