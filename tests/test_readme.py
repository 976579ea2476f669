"README.md is what index.ipynb makes."

import subprocess, sys
from pathlib import Path

top = Path(__file__).resolve().parent.parent


def test_readme_agrees_with_index():
    done = subprocess.run(
        [sys.executable, top / '.ci/readme.py', '--check'], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_disagreement_is_noticed(tmp_path):
    "The check fails on a copy of the project with one word changed."
    for name in ('.ci/readme.py', 'nbs/index.ipynb', 'README.md'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes((top / name).read_bytes())
    readme = tmp_path / 'README.md'
    readme.write_text(
        readme.read_text(encoding='utf-8').replace('notebooks', 'books', 1), encoding='utf-8'
    )
    done = subprocess.run(
        [sys.executable, tmp_path / '.ci/readme.py', '--check'], capture_output=True, text=True
    )
    assert done.returncode == 1 and 'disagree' in done.stderr


def test_pictures_exist():
    "Every picture that the README shows is in the repository."
    import re

    pictures = re.findall(
        r'!\[[^\]]+\]\(([^)]+)\)', (top / 'README.md').read_text(encoding='utf-8')
    )
    assert pictures and all((top / p).is_file() for p in pictures)
