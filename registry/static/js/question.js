// The question form: shows the fields of a newly chosen analysis and keeps the JSON beside it
// fresh. Without this module two buttons do the same.

const form = document.getElementById("question-form");
const box = document.getElementById("question-json");
let timer;
let latest = 0;

const refresh = async () => {
  const turn = ++latest;
  const data = new FormData(form);
  data.set("act", "show");
  try {
    const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(data) });
    if (!answer.ok || turn !== latest) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.getElementById("question-json");
    if (fresh) box.textContent = fresh.textContent;
  } catch {
    // The button "Refresh" stays; nothing that was filled in is lost.
  }
};

if (form && box) {
  form.addEventListener("change", (event) => {
    if (event.target.name === "kind") {
      form.requestSubmit(form.querySelector('button[value="kind"]'));
      return;
    }
    window.clearTimeout(timer);
    timer = window.setTimeout(refresh, 250);
  });
}
