"README.md is what index.ipynb makes."

import re, subprocess, sys
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
    pictures = re.findall(
        r'!\[[^\]]+\]\(([^)]+)\)', (top / 'README.md').read_text(encoding='utf-8')
    )
    own = [p for p in pictures if not p.startswith('https://')]  # the others are badges
    assert own and all((top / p).is_file() for p in own)


def test_numbers_on_the_front_page():
    "The table of the front page is that of the results: another number in these is noticed."
    import csv

    with open(top / 'nbs/results/comparison.csv', encoding='utf-8', newline='') as file:
        found = [r for r in csv.DictReader(file) if r['data'] == 'MNIST' and r['latents'] == '16']
    expected = {
        'PCA': 'PCA',
        'closed form': 'closed form, degree 3',
        'MLP': 'MLP',
        "the paper's KAE": 'KAE, as published',
        'ours': 'ours',
        'ours, longer': 'ours, wide',
    }
    columns = {'mse': '.4f', 'accuracy_1nn': '.3f', 'recall': '.3f', 'seconds': '.3g'}
    text = (top / 'README.md').read_text(encoding='utf-8')
    shown = [line.strip('| ').split(' | ') for line in text.splitlines() if line[:2] == '| ']
    shown = {re.sub(r'\[(.*)\]\(.*\)', r'\1', name): rest for name, *rest in shown[2:]}
    assert list(shown) == list(expected)
    for name, kind in expected.items():
        rows = [r for r in found if r['kind'] == kind]
        for column, said in zip(columns, shown[name], strict=True):
            mean = sum(float(r[column]) for r in rows) / len(rows)
            assert said == format(mean, columns[column]), (name, column)
