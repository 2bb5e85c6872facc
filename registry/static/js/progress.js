// Keeps the progress of one question fresh. Without this module the page renews itself.

const box = document.getElementById("progress");

const setText = (node, text) => {
  if (node && node.textContent !== text) node.textContent = text;
};

const setTag = (node, label, tag) => {
  const mark = node?.querySelector(".tag");
  if (!mark) return;
  mark.className = tag ? `tag tag-${tag}` : "tag";
  setText(mark, label);
};

const show = (status) => {
  setText(box.querySelector("[data-sentence]"), status.sentence);
  setTag(box.querySelector("[data-state]"), status.label, {
    submitted: "warn", approved: "busy", open: "busy",
  }[status.status] ?? "");
  const rows = new Map([...box.querySelectorAll("[data-site]")].map((row) => [row.dataset.site, row]));
  // Hospitals appear when the question goes out: then the whole page is fetched once.
  if (status.final || status.sites.some((site) => !rows.has(site.site))) {
    window.location.reload();
    return false;
  }
  for (const site of status.sites) {
    const row = rows.get(site.site);
    setTag(row, site.label, site.tag);
    setText(row.querySelector("[data-site-sentence]"), site.sentence);
  }
  return true;
};

const look = async (wait) => {
  let next = wait;
  try {
    const answer = await fetch(box.dataset.poll, { headers: { Accept: "application/json" } });
    if (answer.ok && !show(await answer.json())) return;
    if (answer.status === 401 || answer.status === 404) return;
  } catch {
    next = Math.min(wait * 2, 60); // the hub cannot be reached: ask less often
  }
  window.setTimeout(look, next * 1000, Math.max(next, Number(box.dataset.seconds)));
};

if (box?.dataset.poll) {
  const seconds = Number(box.dataset.seconds);
  window.setTimeout(look, seconds * 1000, seconds);
}
