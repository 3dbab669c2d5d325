// A drawing made of strokes, so that it can be undone, centred and drawn at any size.

const FILLED = 0.72; // MNIST fits a digit into 20 of 28 pixels
const STEP = 1 / 28; // what an arrow key moves the pen by

/** A canvas that is drawn on with a mouse, a finger, a pen or the keyboard. */
export class Drawing {
  constructor(canvas, { changed }) {
    this.canvas = canvas;
    this.changed = changed;
    this.strokes = [];
    this.pen = { x: 0.5, y: 0.5, isDown: false, isShown: false };
    this.look = { ink: "#ffffff", paper: "#000000", width: 0.08, isCentred: true };
    canvas.addEventListener("pointerdown", event => this.#begin(event));
    canvas.addEventListener("pointermove", event => this.#extend(event));
    canvas.addEventListener("keydown", event => this.#press(event));
    canvas.addEventListener("focus", () => this.#showPen(canvas.matches(":focus-visible")));
    canvas.addEventListener("blur", () => this.#showPen(false));
    this.show();
  }

  get isEmpty() {
    return this.strokes.length === 0;
  }

  restyle(look) {
    Object.assign(this.look, look);
    this.#update();
  }

  undo() {
    this.strokes.pop();
    this.#lift();
  }

  clear() {
    this.strokes = [];
    this.#lift();
  }

  /** The drawing as a PNG file, square, centred if the look says so. */
  async file(size = 280) {
    const canvas = new OffscreenCanvas(size, size);
    const strokes = this.look.isCentred ? centred(this.strokes) : this.strokes;
    paint(canvas.getContext("2d"), size, strokes, this.look);
    const blob = await canvas.convertToBlob({ type: "image/png" });
    return new File([blob], "drawing.png", { type: "image/png" });
  }

  show() {
    const context = this.canvas.getContext("2d");
    paint(context, this.canvas.width, this.strokes, this.look);
    if (this.pen.isShown) outline(context, this.canvas.width, this.pen, this.look);
  }

  #begin(event) {
    if (event.button !== 0) return;
    event.preventDefault();
    this.canvas.focus({ focusVisible: false });
    this.canvas.setPointerCapture(event.pointerId);
    this.#lift();
    this.strokes.push([this.#place(event)]);
    this.#update();
  }

  #extend(event) {
    if (!this.canvas.hasPointerCapture(event.pointerId)) return;
    const moved = event.getCoalescedEvents?.() ?? [];
    const places = (moved.length ? moved : [event]).map(each => this.#place(each));
    this.strokes.at(-1)?.push(...places);
    this.#update();
  }

  #place(event) {
    const box = this.canvas.getBoundingClientRect();
    return { x: (event.clientX - box.left) / box.width, y: (event.clientY - box.top) / box.height };
  }

  #press(event) {
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (event.key in moves) this.#move(...moves[event.key]);
    else if (event.key === " ") this.#toggle();
    else if (event.key === "Backspace") this.undo();
    else if (event.key === "Delete") this.clear();
    else return;
    event.preventDefault();
  }

  #move(right, down) {
    const within = value => Math.min(1, Math.max(0, value));
    this.pen.x = within(this.pen.x + right * STEP);
    this.pen.y = within(this.pen.y + down * STEP);
    this.pen.isShown = true;
    if (!this.pen.isDown) return this.show();
    this.strokes.at(-1).push({ x: this.pen.x, y: this.pen.y });
    this.#update();
  }

  #toggle() {
    this.pen.isDown = !this.pen.isDown;
    this.pen.isShown = true;
    if (this.pen.isDown) this.strokes.push([{ x: this.pen.x, y: this.pen.y }]);
    this.#update();
  }

  #lift() {
    this.pen.isDown = false;
    this.#update();
  }

  #showPen(isShown) {
    this.pen.isShown = isShown;
    if (!isShown) this.pen.isDown = false;
    this.show();
  }

  #update() {
    this.show();
    this.changed();
  }
}

function paint(context, size, strokes, { ink, paper, width }) {
  context.fillStyle = paper;
  context.fillRect(0, 0, size, size);
  Object.assign(context, { strokeStyle: ink, lineWidth: width * size, lineCap: "round", lineJoin: "round" });
  for (const [first, ...rest] of strokes) {
    context.beginPath();
    context.moveTo(first.x * size, first.y * size);
    for (const { x, y } of rest.length ? rest : [first]) context.lineTo(x * size, y * size);
    context.stroke();
  }
}

function outline(context, size, pen, { ink, width }) {
  Object.assign(context, { strokeStyle: ink, fillStyle: ink, lineWidth: 2 });
  context.beginPath();
  context.arc(pen.x * size, pen.y * size, (width * size) / 2 + 3, 0, 2 * Math.PI);
  context.stroke();
  if (pen.isDown) context.fill();
}

/** Strokes scaled to fill most of the square, their centre of mass in its middle, as MNIST's are. */
export function centred(strokes) {
  const points = strokes.flat();
  if (!points.length) return strokes;
  const [left, right] = extent(points.map(each => each.x));
  const [top, bottom] = extent(points.map(each => each.y));
  const larger = Math.max(right - left, bottom - top);
  const scale = larger ? FILLED / larger : 1;
  const centre = centreOfMass(strokes);
  const move = (value, of, from, to) => {
    const [low, high] = [(from - of) * scale + 0.5, (to - of) * scale + 0.5];
    const inside = Math.max(0, 0.04 - low) - Math.max(0, high - 0.96);
    return (value - of) * scale + 0.5 + inside;
  };
  return strokes.map(stroke => stroke.map(({ x, y }) => ({
    x: move(x, centre.x, left, right),
    y: move(y, centre.y, top, bottom),
  })));
}

const extent = values => [Math.min(...values), Math.max(...values)];

function centreOfMass(strokes) {
  let [x, y, mass] = [0, 0, 0];
  for (const stroke of strokes) {
    stroke.forEach((point, at) => {
      const before = stroke[Math.max(0, at - 1)];
      const length = Math.hypot(point.x - before.x, point.y - before.y) + 1e-3;
      x += (length * (point.x + before.x)) / 2;
      y += (length * (point.y + before.y)) / 2;
      mass += length;
    });
  }
  return { x: x / mass, y: y / mass };
}
