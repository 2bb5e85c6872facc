// Two minutes before a patient's session ends, say so where the page shows the time. The button
// beside it is a plain form and works without this module.

const LAST_MS = 120_000;

document.querySelectorAll(".time-left[data-ends]").forEach((form) => {
  const alert = form.querySelector(".time-alert");
  const ends = Number(form.dataset.ends) * 1000;
  const tell = () => {
    alert.textContent = alert.dataset.words;
    alert.hidden = false;
  };
  window.setTimeout(tell, Math.max(0, ends - LAST_MS - Date.now()));
});
