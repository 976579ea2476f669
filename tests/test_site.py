"The site builds without a broken link, and every page has its title and its saved outputs."
import subprocess, sys
from pathlib import Path

def test_site_builds():
    top = Path(__file__).resolve().parent.parent
    done = subprocess.run([sys.executable, top/'.ci/site.py'], cwd=top, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
