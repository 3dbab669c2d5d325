// The ways to give an input: a picture, a drawing, a row of a table, or plain numbers.
// Each panel has a title, an element, and `current()`: a promise of the input, null if there is none.

import { Drawing } from "./drawing.js";

const LARGEST_SMALL = 64; // pixels of a side
const MOST_CHOICES = 50;

let ids = 0;
export const newId = () => `element-${(ids += 1)}`;

const copyOf = id => document.getElementById(id).content.firstElementChild.cloneNode(true);

/** The panels for an input of this kind; `changed` is called when there is something new. */
export function panelsFor(input, changed) {
  switch (input.kind) {
    case "picture": {
      const panels = [new PicturePanel(changed), new DrawingPanel(input, changed)];
      return input.channels === 1 ? panels.reverse() : panels;
    }
    case "table":
      return [new RowPanel(input.columns, changed)];
    default:
      return [new NumbersPanel(input, changed)];
  }
}

/** A picture that is chosen, dropped or pasted. */
class PicturePanel {
  title = "Picture";

  constructor(changed) {
    this.changed = changed;
    this.file = null;
    this.element = copyOf("picture-panel");
    this.image = this.element.querySelector("img");
    const chooser = this.element.querySelector("input");
    this.element.querySelector(".choose").addEventListener("click", () => chooser.click());
    chooser.addEventListener("change", () => {
      this.take(chooser.files[0]);
      chooser.value = ""; // or the same file could not be chosen again
    });
  }

  take(file) {
    if (!file) return;
    this.file = file;
    URL.revokeObjectURL(this.image.src);
    this.image.onload = () => this.image.classList.toggle("is-small", this.image.naturalWidth <= LARGEST_SMALL);
    this.image.onerror = () => { this.image.hidden = true; }; // the service says what is wrong
    this.image.src = URL.createObjectURL(file);
    this.image.alt = file.name;
    this.image.hidden = false;
    this.changed();
  }

  async current() {
    return this.file;
  }
}

/** A picture that is drawn. */
class DrawingPanel {
  title = "Drawing";

  constructor(input, changed) {
    this.element = copyOf("drawing-panel");
    const part = name => this.element.querySelector(name);
    this.drawing = new Drawing(part("canvas"), { changed });
    const [width, paper, ink, centre] = [".width", ".paper-colour", ".ink", ".centre"].map(part);
    paper.value = input.paper ?? "black";
    part(".ink-label").hidden = input.channels === 1;
    const restyle = () => this.drawing.restyle({
      width: width.value / 100, paper: paper.value, ink: ink.value, isCentred: centre.checked,
    });
    const contrast = () => { ink.value = paper.value === "black" ? "#ffffff" : "#000000"; };
    contrast();
    restyle();
    paper.addEventListener("change", contrast);
    for (const each of [width, paper, ink, centre]) each.addEventListener("input", restyle);
    paper.addEventListener("change", restyle);
    part(".undo").addEventListener("click", () => this.drawing.undo());
    part(".clear").addEventListener("click", () => this.drawing.clear());
  }

  async current() {
    return this.drawing.isEmpty ? null : this.drawing.file();
  }
}

/** The row of a table, a field for each column. */
class RowPanel {
  title = "Row";

  constructor(columns, changed) {
    this.element = copyOf("row-panel");
    this.fields = columns.map(column => new Field(column));
    const shown = this.fields.flatMap(field => field.elements);
    this.element.querySelector(".fields").append(...shown);
    this.element.addEventListener("input", changed);
    this.element.addEventListener("submit", event => event.preventDefault());
  }

  async current() {
    return Object.fromEntries(this.fields.map(field => [field.name, field.cell]));
  }
}

/** A cell of a row: a number, a date, one of the values that were trained on, or a text. */
class Field {
  constructor(column) {
    this.name = column.name;
    this.isNumber = column.kind === "number";
    this.input = inputFor(column);
    this.input.id = newId();
    const label = Object.assign(document.createElement("label"), { htmlFor: this.input.id, textContent: column.name });
    this.elements = [label, this.input];
  }

  get cell() {
    const text = this.input.value;
    if (text === "") return null;
    return this.isNumber && Number.isFinite(this.input.valueAsNumber) ? this.input.valueAsNumber : text;
  }
}

function inputFor({ kind, mean, values }) {
  const isChoice = values && values.length <= MOST_CHOICES;
  const input = document.createElement(isChoice ? "select" : "input");
  if (isChoice) {
    input.append(...values.map(value => new Option(value, value)), new Option("(missing)", ""));
  } else {
    Object.assign(input, { placeholder: "missing", value: values?.[0] ?? "" });
  }
  if (kind === "number") Object.assign(input, { type: "number", step: "any", value: short(mean) });
  if (kind === "date") Object.assign(input, { type: "date", value: dayOf(mean) });
  return input;
}

function dayOf(daysSince1970) {
  const day = new Date(daysSince1970 * 86_400_000);
  return Number.isNaN(+day) ? "" : day.toISOString().slice(0, 10);
}

const short = number => (Number.isFinite(number) ? Number(number.toPrecision(3)) : "");

/** A vector, a signal or an array, as numbers. */
class NumbersPanel {
  title = "Numbers";

  constructor(input, changed) {
    this.shape = input.shape ?? (input.kind === "vector" ? [input.length] : [input.channels, input.length]);
    this.element = copyOf("numbers-panel");
    const [label, area] = [this.element.querySelector("label"), this.element.querySelector("textarea")];
    Object.assign(area, { id: newId(), placeholder: "0.5, -1, 2.25, …" });
    Object.assign(label, { htmlFor: area.id, textContent: this.#wanted(input.names ?? []) });
    area.addEventListener("input", changed);
    this.area = area;
  }

  async current() {
    const words = this.area.value.split(/[\s,;[\]]+/).filter(Boolean);
    if (!words.length) return null;
    const numbers = words.map(Number);
    const wrong = words.find((_, at) => !Number.isFinite(numbers[at]));
    if (wrong !== undefined) throw new Error(`${wrong} is not a number`);
    const wanted = this.shape.reduce((product, side) => product * side, 1);
    if (numbers.length !== wanted) throw new Error(`${numbers.length} of ${wanted} numbers`);
    return arranged(numbers, this.shape);
  }

  #wanted(names) {
    const named = names.length ? `: ${names.join(", ")}` : "";
    return `${this.shape.join(" × ")} numbers${named}`;
  }
}

/** Numbers in a row as nested lists of this shape. */
function arranged(numbers, [, ...inner]) {
  if (!inner.length) return numbers;
  const size = inner.reduce((product, side) => product * side, 1);
  const rows = Array.from({ length: numbers.length / size }, (_, at) => numbers.slice(at * size, (at + 1) * size));
  return rows.map(row => arranged(row, inner));
}
