"""The page in a real browser, where there is one: its script runs, sorts and reports no error."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from mlip_core.report import build_report
from tests.report.study import make_study

BROWSER = next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chrome"))), None)
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--virtual-time-budget=3000",
)
# Clicks a heading several times and notes the order of runs after each click.
CLICKS = """
<script>
const noted = [];
window.addEventListener("error", (event) => noted.push("error: " + event.message));
function runs() {
  return [...document.querySelectorAll("#leaderboard tbody th a")].map((a) => a.textContent);
}
function click(label) {
  const buttons = [...document.querySelectorAll("#leaderboard th button")];
  buttons.find((button) => button.textContent === label).click();
  noted.push(runs().join(">"));
}
click("Force MAE"); click("Force MAE"); click("Run"); click("Run");
location.hash = "#run-wide-cutoff";
setTimeout(() => {
  noted.push("open: " + document.getElementById("run-wide-cutoff").open);
  noted.push("requests: " + performance.getEntriesByType("resource")
    .filter((entry) => !entry.name.startsWith("file:") && !entry.name.startsWith("data:")).length);
  document.body.dataset.noted = noted.join("|");
}, 500);
</script>
"""


@pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")
def test_page_in_a_browser(tmp_path: Path) -> None:
    path = build_report(tmp_path / "results" / "report", make_study(tmp_path / "results"))
    page = path.with_name("clicked.html")
    page.write_text(path.read_text().replace("</body>", CLICKS + "</body>"))
    assert BROWSER is not None
    dump = subprocess.run(
        [BROWSER, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", page.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    ).stdout
    noted = re.search(r'data-noted="([^"]*)"', dump)
    assert noted is not None
    assert noted[1].replace("&gt;", ">").split("|") == [
        "default>wide-cutoff",
        "wide-cutoff>default",
        "default>wide-cutoff",
        "wide-cutoff>default",
        "open: true",
        "requests: 0",
    ]
