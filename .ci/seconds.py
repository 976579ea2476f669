"""Measure how long each notebook runs, without what is marked slow, and keep it in .ci/seconds.json for the pages.

python .ci/seconds.py [NOTEBOOK ...]: those that are named, or all of the book that are not yet in the file.
"""

import json, re, sys, time
from pathlib import Path

import nbformat
from nbclient import NotebookClient

top = Path(__file__).resolve().parent.parent
KEPT = top / '.ci/seconds.json'
LEFT_OUT = re.compile(r'^#\|\s*(slow|eval:\s*false)', re.MULTILINE)


def seconds(notebook):
    "How long a notebook runs from its first cell to its last, in a fresh kernel."
    cells = nbformat.read(notebook, 4)
    cells.cells = [cell for cell in cells.cells if not LEFT_OUT.search(cell.source)]
    start = time.perf_counter()
    NotebookClient(
        cells,
        timeout=1200,
        kernel_name='python3',
        resources={'metadata': {'path': str(notebook.parent)}},
    ).execute()
    return time.perf_counter() - start


if __name__ == '__main__':
    known = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    notebooks = [Path(name) for name in sys.argv[1:]]
    notebooks = notebooks or [
        path for path in sorted((top / 'nbs').glob('[0-9]*.ipynb')) if path.stem not in known
    ]
    for notebook in notebooks:
        known[notebook.stem] = round(seconds(notebook))
        print(f'{notebook.stem}: {known[notebook.stem]} s', flush=True)
        KEPT.write_text(json.dumps(dict(sorted(known.items())), indent=1) + '\n')
