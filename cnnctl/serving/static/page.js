// The page: models of the same kind of input are asked together, for each new input.

import { AnswerCard, inWords } from "./answers.js";
import { newId, panelsFor } from "./panels.js";
import { Refused, models, predict, rememberToken, takeTokenFromAddress } from "./service.js";

const part = id => document.getElementById(id);

/** Models that take the same input, their cards, and the panels that give it. */
class Group {
  constructor(input, together, changed) {
    this.cards = together.map(model => new AnswerCard(model));
    this.panels = panelsFor(input, changed);
  }
}

class Page {
  selected = null;

  constructor(served) {
    const groups = grouped(served).map(([input, together]) => new Group(input, together, () => this.ask()));
    const isOnly = groups.length === 1;
    this.tabs = groups.flatMap(group => group.panels.map(panel => this.#tab(group, panel, isOnly)));
    this.asking = null;
    this.isStale = false;
    part("kinds").replaceChildren(...(this.tabs.length > 1 ? this.tabs.map(each => each.button) : []));
    part("panels").replaceChildren(...this.tabs.map(each => each.panel.element));
    part("kinds").addEventListener("keydown", event => this.#walk(event));
    this.#acceptFiles();
    this.select(this.tabs[0]);
  }

  select(tab) {
    this.selected = tab;
    for (const each of this.tabs) {
      const isOn = each === tab;
      each.button.setAttribute("aria-selected", isOn);
      each.button.tabIndex = isOn ? 0 : -1;
      each.panel.element.hidden = !isOn;
    }
    part("answers").replaceChildren(...tab.group.cards.map(card => card.element));
    for (const card of tab.group.cards) card.clear();
    this.ask();
  }

  /** Ask for what is there now; while an answer is on its way, only the latest input waits. */
  async ask() {
    this.isStale = true;
    if (this.asking || !this.selected) return;
    part("outputs").ariaBusy = "true";
    while (this.isStale) {
      this.isStale = false;
      this.asking = this.#askOnce();
      await this.asking;
    }
    this.asking = null;
    part("outputs").ariaBusy = "false";
  }

  async #askOnce() {
    const { group, panel } = this.selected;
    let input;
    try {
      input = await panel.current();
    } catch (error) {
      return this.#refuse(error.message);
    }
    if (input === null) return this.#empty(group);
    const said = await Promise.all(group.cards.map(card => this.#answer(card, input)));
    if (this.isStale) return undefined; // who listens hears the last answer only
    const faults = new Set(said.map(each => each.fault).filter(Boolean));
    this.#say(said.map(each => each.words).filter(Boolean).join(". "), [...faults].join("\n"));
    return undefined;
  }

  async #answer(card, input) {
    try {
      const answer = await predict(card.model.name, input);
      card.show(answer, input);
      return { words: inWords(card.model, answer) };
    } catch (error) {
      if (error instanceof Refused && error.status === 401) askForToken();
      card.clear();
      return { fault: error.message };
    }
  }

  #empty(group) {
    for (const card of group.cards) card.clear();
    this.#say("", "");
  }

  #refuse(message) {
    for (const card of this.selected.group.cards) card.clear();
    this.#say("", message);
  }

  #say(status, fault) {
    part("status").textContent = status;
    part("fault").textContent = fault;
    part("fault").hidden = !fault;
  }

  #tab(group, panel, isOnly) {
    const names = group.cards.map(card => card.model.name).join(", ");
    const title = isOnly ? panel.title : `${panel.title} for ${names}`;
    const button = document.createElement("button");
    Object.assign(button, { type: "button", role: "tab", textContent: title });
    Object.assign(panel.element, { id: newId(), role: "tabpanel", ariaLabel: title });
    button.setAttribute("aria-controls", panel.element.id);
    const tab = { group, panel, button };
    button.addEventListener("click", () => this.select(tab));
    return tab;
  }

  #walk(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const at = this.tabs.indexOf(this.selected);
    const next = this.tabs[(at + step + this.tabs.length) % this.tabs.length];
    this.select(next);
    next.button.focus();
  }

  /** Files that are dropped anywhere or pasted go to the first panel that takes one. */
  #acceptFiles() {
    const taker = this.tabs.find(each => each.panel.take);
    const take = files => {
      if (!taker || !files.length) return false;
      this.select(taker);
      taker.panel.take(files[0]);
      return true;
    };
    const mark = isOver => taker?.panel.element.querySelector(".drop").classList.toggle("is-over", isOver);
    addEventListener("dragover", event => { event.preventDefault(); mark(true); });
    addEventListener("dragleave", event => { if (!event.relatedTarget) mark(false); });
    addEventListener("drop", event => { event.preventDefault(); mark(false); take(event.dataTransfer.files); });
    addEventListener("paste", event => { if (take(event.clipboardData.files)) event.preventDefault(); });
  }
}

/** The models by what they take, in their order. */
function grouped(served) {
  const groups = new Map();
  for (const model of served) {
    const key = model.input.kind === "picture" ? `picture ${model.input.channels}` : JSON.stringify(model.input);
    if (!groups.has(key)) groups.set(key, [model.input, []]);
    groups.get(key)[1].push(model);
  }
  return [...groups.values()];
}

function askForToken() {
  part("access").hidden = false;
  part("token").focus();
}

async function start() {
  try {
    const served = await models();
    part("access").hidden = true;
    part("fault").hidden = true;
    document.title = `${served.map(model => model.name).join(", ")} · cnnctl`;
    new Page(served);
  } catch (error) {
    if (error instanceof Refused && error.status === 401) {
      askForToken();
    } else {
      part("fault").textContent = error.message;
      part("fault").hidden = false;
    }
  }
}

part("access").addEventListener("submit", event => {
  event.preventDefault();
  rememberToken(part("token").value);
  start();
});
takeTokenFromAddress();
start();
