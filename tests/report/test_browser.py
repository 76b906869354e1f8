"""The pages in a real browser, where there is one: clicked through from the first to the last."""

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from tests.report.study import BASELINE, DATASET, RUNS

BROWSER = next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chrome"))), None)
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # One page looks into the others, which a browser does not let files do.
    "--allow-file-access-from-files",
    "--enable-logging=stderr",
    "--virtual-time-budget=60000",
)
# A page that shows the report in a frame, clicks on every link in it, and notes what it saw.
VISITOR = """
<!doctype html>
<title>visitor</title>
<iframe width="1280" height="1000"></iframe>
<script>
const frame = document.querySelector("iframe");
const seen = {visited: [], broken: [], elsewhere: [], orders: [], filtered: []};
const loaded = (act) => new Promise((done) => {
  frame.addEventListener("load", done, {once: true});
  act();
});
const open = (url) => loaded(() => { frame.src = url; });
const page = () => frame.contentDocument;
const within = (url) => url.endsWith(".html") && url.startsWith(root);
const plain = (url) => url.split("#")[0];
const root = new URL("REPORT/", location.href).href;

async function look() {
  const url = plain(frame.contentWindow.location.href);
  seen.visited.push(url.slice(root.length));
  const images = [...page().images];
  for (const image of images) image.loading = "eager";
  await Promise.allSettled(images.map((image) => image.decode()));
  for (const image of images) if (!image.naturalWidth) seen.broken.push(image.src);
  if (page().styleSheets.length !== 1) seen.broken.push("style of " + url);
  for (const entry of frame.contentWindow.performance.getEntriesByType("resource"))
    if (!/^(file|data):/.test(entry.name)) seen.elsewhere.push(entry.name);
}

async function clickThrough() {
  const known = new Set([root + "index.html"]);
  const waiting = [root + "index.html"];
  await open(waiting[0]);
  await look();
  while (waiting.length) {
    const from = waiting.shift();
    await open(from);
    const links = [...page().links].map((a) => a.href).filter((url) => within(plain(url)));
    for (const url of links) {
      if (known.has(plain(url))) continue;
      known.add(plain(url));
      waiting.push(plain(url));
      await open(from);
      await loaded(() => [...page().links].find((a) => a.href === url).click());
      await look();
    }
  }
}

function models() {
  const rows = [...page().querySelector("#leaderboard table").tBodies[0].rows];
  const names = rows.filter((row) => !row.hidden).map((row) => row.querySelector("th a"));
  return names.map((name) => name.textContent);
}
function sort(label) {
  const buttons = [...page().querySelectorAll("#leaderboard th button")];
  buttons.find((button) => button.textContent === label).click();
  seen.orders.push(models().join(" "));
}
function filter(name, value) {
  const form = page().querySelector("form.filters");
  form.elements[name].value = value;
  form.elements[name].dispatchEvent(new Event("input", {bubbles: true}));
  seen.filtered.push(models().join(" "));
}

(async () => {
  await clickThrough();
  await open(root + "index.html");
  sort("Force MAE"); sort("Force MAE"); sort("Model");
  filter("text", "SEED_1 wide"); filter("kind", ""); filter("text", "");
  document.body.dataset.seen = JSON.stringify(seen);
})();
</script>
"""


@pytest.fixture(scope="module")
def visit(results: Path) -> tuple[dict[str, Any], str]:
    """What the visitor saw, and what the browser wrote."""
    if BROWSER is None:
        pytest.skip("no Chromium on this machine")
    page, profile = results / "visitor.html", results.parent / "profile"
    page.write_text(VISITOR.replace("REPORT", "report"))
    run = subprocess.run(
        [BROWSER, *FLAGS, f"--user-data-dir={profile}", "--dump-dom", page.as_uri()],
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    noted = re.search(r'data-seen="([^"]*)"', run.stdout)
    assert noted is not None, run.stderr
    return json.loads(unescape(noted[1])), run.stderr


def test_every_page_is_reached_by_clicks(visit: tuple[dict[str, Any], str]) -> None:
    seen, _ = visit
    assert sorted(seen["visited"]) == sorted(
        [
            "index.html",
            "workflow.html",
            "definitions.html",
            f"datasets/{DATASET}.html",
            *(f"entries/{entry}.html" for entry in (*RUNS, BASELINE)),
        ]
    )


def test_nothing_is_broken_or_from_elsewhere(visit: tuple[dict[str, Any], str]) -> None:
    seen, log = visit
    assert seen["broken"] == []
    assert seen["elsewhere"] == []
    assert "CONSOLE" not in log


def test_leaderboard_sorts_and_filters(visit: tuple[dict[str, Any], str]) -> None:
    seen, _ = visit
    ascending = "springs default wide-cutoff-seed_2 wide-cutoff-seed_1"
    assert seen["orders"] == [
        ascending,
        " ".join(reversed(ascending.split())),
        "default springs wide-cutoff-seed_1 wide-cutoff-seed_2",
    ]
    everything = "default default springs springs"
    everything += " wide-cutoff-seed_1" * 2 + " wide-cutoff-seed_2" * 2
    assert seen["filtered"] == [
        "wide-cutoff-seed_1",
        "wide-cutoff-seed_1 wide-cutoff-seed_1",
        everything,
    ]
