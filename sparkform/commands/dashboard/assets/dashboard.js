// Takes the sections that have changed, and says when no more come.
"use strict";

const connection = document.getElementById("connection");
const source = new EventSource("changes");

function replaceSection(id, html) {
  const focused = document.activeElement?.id;
  const section = document.getElementById(id);
  const holdsFocus = section.contains(document.activeElement);
  section.innerHTML = html;
  if (holdsFocus && focused) {
    document.getElementById(focused)?.focus({ preventScroll: true });
  }
}

source.onmessage = (message) => {
  connection.hidden = true;
  for (const [id, html] of Object.entries(JSON.parse(message.data))) {
    replaceSection(id, html);
  }
};

source.onerror = () => {
  connection.hidden = false;
};
