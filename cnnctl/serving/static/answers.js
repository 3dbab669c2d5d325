// The answers of the models side by side, as bars and numbers.

import { explain } from "./service.js";

const SHOWN = 10;

const element = (name, options = {}, ...children) => {
  const made = Object.assign(document.createElement(name), options);
  made.append(...children);
  return made;
};

const percent = share => `${(100 * share).toFixed(1)} %`;

/** What one model answers: a card. */
export class AnswerCard {
  constructor(model) {
    this.model = model;
    this.element = document.getElementById("answer").content.firstElementChild.cloneNode(true);
    this.part("h3").textContent = model.name;
    const epoch = model.epoch === null ? "" : `, epoch ${model.epoch}`;
    this.part(".about").textContent = `${model.parameters.toLocaleString("en")} parameters${epoch}`;
    this.part(".look button").addEventListener("click", () => this.#look());
    this.clear();
  }

  part(selector) {
    return this.element.querySelector(selector);
  }

  clear() {
    this.input = null;
    this.part(".tasks").replaceChildren(element("p", { className: "hint", textContent: "No input yet." }));
    this.part(".look").hidden = true;
    this.#hideMap();
  }

  show(answer, input) {
    this.input = input;
    const own = task => (task.name ? answer.heads[task.name] : answer);
    this.part(".tasks").replaceChildren(...this.model.tasks.flatMap(task => shownTask(task, own(task))));
    this.part(".look").hidden = !this.model.heat_map;
    this.#hideMap();
  }

  refuse(message) {
    this.input = null;
    this.part(".tasks").replaceChildren(element("p", { className: "fault", textContent: message }));
    this.part(".look").hidden = true;
    this.#hideMap();
  }

  async #look() {
    const [button, input] = [this.part(".look button"), this.input];
    button.disabled = true;
    try {
      const { picture, explained } = await explain(this.model.name, input);
      if (input === this.input) await this.#showMap(picture, explained);
    } catch (error) {
      if (input === this.input) this.#showFault(error.message);
    } finally {
      button.disabled = false;
    }
  }

  async #showMap(picture, explained) {
    const image = this.part(".map img");
    const what = explained ? `Where ${this.model.name} found ${explained}` : `What ${this.model.name} looked at`;
    Object.assign(image, { src: URL.createObjectURL(picture), alt: `${what}, as a heat map` });
    await image.decode();
    image.hidden = false;
    this.part(".map figcaption").textContent = what;
    this.part(".map").hidden = false;
  }

  #showFault(message) {
    this.part(".map img").hidden = true;
    this.part(".map figcaption").textContent = message;
    this.part(".map").hidden = false;
  }

  #hideMap() {
    this.part(".map").hidden = true;
    URL.revokeObjectURL(this.part(".map img").src);
  }
}

/** An answer in a sentence, for those who listen. */
export function inWords(model, answer) {
  const own = model.tasks.map(task => (task.name ? `${task.name}: ${words(task, answer.heads[task.name])}` : words(task, answer)));
  return `${model.name}: ${own.join("; ")}`;
}

function words(task, answer) {
  if (task.kind === "values") return answer.values.map(number).join(", ");
  if (task.kind === "labels") return answer.labels.join(", ") || "no label";
  return `${answer.class}, ${percent(answer.probability)}`;
}

function shownTask(task, answer) {
  const title = task.name ? [element("h4", { textContent: task.name })] : [];
  return [...title, ...(task.kind === "values" ? values(answer) : bars(task, answer))];
}

const values = answer => answer.values.map(value => element("p", { className: "value", textContent: number(value) }));

const number = value => Number(value.toPrecision(5)).toString();

function bars(task, answer) {
  const chosen = new Set(task.kind === "labels" ? answer.labels : [answer.class]);
  const ranked = Object.entries(answer.probabilities).sort(([, one], [, other]) => other - one);
  const listed = ranked.length <= SHOWN ? inOrder(task, answer.probabilities) : ranked.slice(0, SHOWN);
  const items = listed.map(([name, share]) => bar(name, share, chosen.has(name)));
  const rest = ranked.length - listed.length;
  const more = rest ? [element("p", { className: "hint", textContent: `and ${rest.toLocaleString("en")} more` })] : [];
  return [element("ul", { className: "bars" }, ...items), ...more];
}

/** Few classes stay where they are, so that the eye finds them again. */
const inOrder = (task, probabilities) => task.classes.map(name => [name, probabilities[name]]);

function bar(name, share, isChosen) {
  const filled = element("div", { className: "bar" });
  filled.style.width = `${100 * share}%`;
  const track = element("div", { className: "track", ariaHidden: "true" }, filled);
  const label = element("span", { className: "name", textContent: name, title: name });
  const number = element("span", { className: "share", textContent: percent(share) });
  return element("li", { className: isChosen ? "is-chosen" : "" }, label, track, number);
}
